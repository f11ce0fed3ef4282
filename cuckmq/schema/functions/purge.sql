-- Deletes up to p_limit finalized jobs older than p_older_than_secs, oldest first, and returns them.
--
-- When nothing is left to delete it also forgets definitions that were undeployed longer ago than that
-- and of which no job remains; channels that were destroyed likewise. Locks what it deletes; passes over what another purge is deleting.
create or replace function {schema}.purge(p_older_than_secs double precision, p_limit integer default 1000)
returns setof bigint
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_bitmapscan = off
as $$
declare
    v_before timestamptz := clock_timestamp() - p_older_than_secs * interval '1 second';
begin
    return query
    delete from {schema}.finalized_job f where f.ctid = any(array(
        select x.ctid from {schema}.finalized_job x where x.finalized_at < v_before
        order by x.finalized_at limit p_limit for update skip locked))
    returning f.id;
    if found then
        return;
    end if;
    delete from {schema}.job_definition d
    where d.undeployed_at < v_before
        and not exists (select from {schema}.job j where j.definition_id = d.id)
        and not exists (select from {schema}.finalized_job f where f.definition_id = d.id);
    perform {schema}.forget_channels(v_before);
end $$;
