-- Blocks jobs-to-be until others have ended. Part of enqueue_many().
--
-- Errors: CQ408 when one of those is not known, or not any more. Takes no lock of them: see
-- unblock_stragglers(). Those that ended already count as they ended, as soon as the job is there (unblock).
create or replace function {schema}.need(p_job_ids bigint[], p_needs_ids bigint[], p_policy text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
declare
    v_unknown bigint := (
        select min(u.id) from unnest(p_needs_ids) u(id)
        where not exists (select from {schema}.job j where j.id = u.id)
            and not exists (select from {schema}.finalized_job f where f.id = u.id));
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
    insert into {schema}.dependency (needs_id, job_id)
    select distinct n.id, u.id from unnest(p_job_ids) u(id) cross join unnest(p_needs_ids) n(id);
    if exists (
        select from unnest(p_needs_ids) n(id) where not exists (select from {schema}.job j where j.id = n.id))
    then
        perform {schema}.unblock(p_job_ids);
    end if;
end $$;
