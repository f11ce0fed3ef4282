-- Blocks jobs-to-be until others have ended. Part of enqueue_many().
--
-- Errors: CQ408 when one of those is not known, or not any more. Takes no lock of them: see
-- unblock_stragglers(). Those that ended already count as they ended, as soon as the job is there (unblock);
-- that locks the new jobs and nothing else, since nobody can wait for them yet.
--
-- One that keeps its successes for a shorter time than its failures, or not at all, and is found nowhere later,
-- has succeeded: is_success_forgotten. When both are forgotten alike nobody knows, and it counts as failed.
--
-- Each is looked up by its id. A join may be planned as a walk over all jobs, by a session whose plans are old.
create or replace function {schema}.need(p_job_ids bigint[], p_needs_ids bigint[], p_policy text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
declare
    v_unknown bigint := (
        select min(u.id) from unnest(p_needs_ids) u(id)
        where (select j.id from {schema}.job j where j.id = u.id) is null);
begin
    if v_unknown is not null then
        raise exception 'there is no job % to wait for', v_unknown
        using errcode = 'CQ408', detail = v_unknown::text,
            hint = 'it was never put in, was purged, or its transaction has not committed';
    end if;
    if p_policy is null or p_policy not in ('fail', 'cancel', 'run') then
        raise exception 'on_dependency_failure is fail, cancel or run, not %', p_policy using errcode = 'CQ003';
    end if;
    insert into {schema}.blocked (job_id, policy) select u.id, p_policy from unnest(p_job_ids) u(id);
    insert into {schema}.dependency (needs_id, job_id, is_success_forgotten)
    select n.id, u.id, coalesce(n.is_success_forgotten, false)
    from (
        select distinct x.id, (
            select coalesce(j.keep_succeeded_secs, 'infinity') < coalesce(j.keep_failed_secs, 'infinity')
            from {schema}.job j where j.id = x.id) as is_success_forgotten
        from unnest(p_needs_ids) x(id)
    ) n cross join unnest(p_job_ids) u(id);
    if exists (
        select from unnest(p_needs_ids) n(id) where (select j.id from {schema}.job j where j.id = n.id) is null
            or (select f.job_id from {schema}.finalized f where f.job_id = n.id) is not null)
    then
        perform {schema}.unblock(p_job_ids);
    end if;
end $$;
