-- Writes the ends of jobs down, and opens nothing: finalize() without those who wait. The arrays run in parallel.
--
-- Those whose definition keeps none that end so (an age of 0) are deleted and not filed, unless somebody waits
-- for them and has to see how they ended. Locks and deletes `job`.
create or replace function {schema}.file_away(
    p_job_ids bigint[],
    p_states text[],
    p_reasons text[],
    p_results text[],
    p_attempts integer[],
    p_claimed_ats timestamptz[],
    p_worker_ids bigint[]
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
begin
    with ended as (
        delete from {schema}.job j where j.id = any(p_job_ids) returning j.*
    )
    insert into {schema}.finalized_job (
        id, definition_id, lane_id, num_attempts, num_stalls, num_failures, error_count, stall_count, attempt,
        worker_id, run_at, created_at, claimed_at, state, reason, job_group, payload, result, errors, is_tied,
        purge_at)
    select j.id, j.definition_id, j.lane_id, j.num_attempts, j.num_stalls, j.num_failures, j.error_count,
        j.stall_count, u.attempt, u.worker_id, j.run_at, j.created_at, u.claimed_at, u.state, u.reason, j.job_group,
        j.payload, u.result::json, j.errors, j.is_tied,
        clock_timestamp() + interval '1 second'
            * case u.state when 'succeeded' then j.keep_succeeded_secs else j.keep_failed_secs end
    from unnest(p_job_ids, p_states, p_reasons, p_results, p_attempts, p_claimed_ats, p_worker_ids)
        u(job_id, state, reason, result, attempt, claimed_at, worker_id)
    join ended j on j.id = u.job_id
    where case u.state when 'succeeded' then j.keep_succeeded_secs else j.keep_failed_secs end
        is distinct from 0
        or exists (select from {schema}.dependency d where d.needs_id = j.id);
end $$;
