-- Unblocks jobs that wait for nobody any more and were overlooked. Returns those that ended (see unblock).
--
-- Who puts in a job that waits for another takes no lock of that one, so that no open transaction of a
-- producer holds up a worker. The other may end at that very moment, and neither sees the other. And unblock()
-- passes over what somebody else keeps in hand. This finds such jobs: of the last minute each time, and of all
-- times now and then (p_is_thorough), for the sake of transactions that were open for long. One at a time; the
-- others return at once.
create or replace function {schema}.unblock_stragglers(p_is_thorough boolean, p_limit integer default 1000)
returns table (job_id bigint, definition text, state text)
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
set enable_bitmapscan = off
as $$
#variable_conflict use_column
declare
    v_since timestamptz := case when p_is_thorough then '-infinity' else clock_timestamp() - interval '1 minute' end;
    v_job_ids bigint[];
begin
    if not exists (select from {schema}.blocked)
        or not pg_try_advisory_xact_lock(hashtextextended('{schema_name}:dependency', 0))
    then
        return;
    end if;
    v_job_ids := array(
        select b.job_id from {schema}.blocked b
        where b.created_at > v_since and (
            select count(*) = 0 or bool_or(
                (select f.job_id from {schema}.finalized f where f.job_id = d.needs_id) is not null
                or (select j.id from {schema}.job j where j.id = d.needs_id) is null)
            from {schema}.dependency d where d.job_id = b.job_id)
        order by b.created_at limit p_limit);
    if v_job_ids <> '{}' then
        return query select * from {schema}.unblock(v_job_ids);
    end if;
end $$;
