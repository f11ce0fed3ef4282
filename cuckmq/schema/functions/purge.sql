-- Deletes finalized jobs whose time is over, oldest first, and returns them: up to p_limit of those whose
-- definition has an age of its own (purge_at), and as many older than p_older_than_secs of the others. One
-- that somebody still waits for stays until it was seen how it ended (unblock).
--
-- When nothing is left to delete it also forgets unique keys that outlived their jobs and their time,
-- cancellations that were asked of attempts which are over,
-- definitions that were undeployed longer ago than that and of which no job remains, and channels that were
-- destroyed likewise. Locks what it deletes; passes over what another purge is deleting,
-- or a retry is bringing back.
create or replace function {schema}.purge(p_older_than_secs double precision, p_limit integer default 1000)
returns setof bigint
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
set enable_bitmapscan = off
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_definition_ids integer[];
    v_before timestamptz := clock_timestamp() - p_older_than_secs * interval '1 second';
begin
    -- Not `not exists`: that may be planned as a join over all of history for each batch.
    return query
    with forgotten as (
        delete from {schema}.finalized f where f.ctid = any(array(
            select x.ctid from {schema}.finalized x where x.purge_at is null and x.finalized_at < v_before
                and (select d.needs_id from {schema}.dependency d where d.needs_id = x.job_id limit 1) is null
            order by x.finalized_at limit p_limit for update skip locked
        ) || array(
            select x.ctid from {schema}.finalized x where x.purge_at <= v_now
                and (select d.needs_id from {schema}.dependency d where d.needs_id = x.job_id limit 1) is null
            order by x.purge_at limit p_limit for update skip locked))
        returning f.job_id
    )
    delete from {schema}.job j where j.id = any(array(select f.job_id from forgotten f))
    returning j.id;
    if found then
        return;
    end if;
    delete from {schema}.unique_key k where k.ctid = any(array(
        select x.ctid from {schema}.unique_key x
        where x.held_until < v_now and (select j.id from {schema}.job j where j.id = x.job_id) is null
        order by x.held_until limit p_limit for update skip locked));
    v_definition_ids := array(select d.id from {schema}.job_definition d where d.undeployed_at < v_before);
    if v_definition_ids <> '{}' then
        delete from {schema}.job_definition d
        where d.id = any(v_definition_ids)
            and not exists (select from {schema}.job j where j.definition_id = d.id)
            and not exists (select from {schema}.unique_key k where k.definition_id = d.id and k.is_held);
    end if;
    delete from {schema}.cancellation c
    where (select r.job_id from {schema}.running r where r.job_id = c.job_id and r.attempt = c.attempt) is null;
    perform {schema}.forget_channels(v_before);
end $$;
