-- Gives the ends of attempts that succeeded, each with its result: what most attempts come to. settle() says the
-- same of them, and of all others; this says it for half the work, since there is nothing to tell apart.
--
-- p_results is one JSON array of all results in the order of the jobs. Its elements go to history as they stand.
-- (Arrays of text would be taken apart, put together and read as JSON three times on the way.)
--
-- The fence is that of settle(): whoever cannot delete the `running` row is `lost`. Returns what settle() would:
-- a row for each that was lost, and for each job that ended because it waited for one of these. Locks as it does.
create or replace function {schema}.finish(
    p_worker_id bigint, p_job_ids bigint[], p_attempts integer[], p_results json
) returns table (id bigint, verdict text, definition text)
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_job_ids bigint[];
begin
    with mine as (
        delete from {schema}.running r
        using rows from (unnest(p_job_ids), unnest(p_attempts), json_array_elements(p_results))
            g(job_id, attempt, result)
        where r.job_id = g.job_id and r.attempt = g.attempt and r.worker_id = p_worker_id
        returning r.job_id, r.attempt, r.claimed_at, g.result
    ), ended as (
        delete from {schema}.job j using mine m where j.id = m.job_id
        returning j.*, m.attempt, m.claimed_at, m.result
    ), filed as (
        insert into {schema}.finalized_job (
            id, definition_id, lane_id, num_attempts, num_stalls, num_failures, error_count, stall_count, attempt,
            worker_id, run_at, created_at, claimed_at, state, job_group, payload, result, errors, is_tied, purge_at)
        select e.id, e.definition_id, e.lane_id, e.num_attempts, e.num_stalls, e.num_failures, e.error_count,
            e.stall_count, e.attempt, p_worker_id, e.run_at, e.created_at, e.claimed_at, 'succeeded', e.job_group,
            e.payload, e.result, e.errors, e.is_tied,
            clock_timestamp() + interval '1 second' * e.keep_succeeded_secs
        from ended e
        where e.keep_succeeded_secs is distinct from 0
            or exists (select from {schema}.dependency d where d.needs_id = e.id)
    )
    select array_agg(m.job_id) into v_job_ids from mine m;

    if cardinality(v_job_ids) is distinct from cardinality(p_job_ids) then
        return query select u.job_id, 'lost', null::text
        from unnest(p_job_ids) u(job_id) where v_job_ids is null or u.job_id <> all(v_job_ids);
    end if;
    if exists (select from {schema}.dependency d where d.needs_id = any(v_job_ids)) then
        return query select u.job_id, 'dependency_' || u.state, u.definition
        from {schema}.unblock(array(
            select distinct d.job_id from {schema}.dependency d where d.needs_id = any(v_job_ids))) u;
    end if;
end $$;
