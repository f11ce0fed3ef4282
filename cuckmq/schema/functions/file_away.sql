-- Writes the ends of jobs down, and opens nothing: finalize() without those who wait. The arrays run in parallel.
--
-- Those whose definition keeps none that end so (an age of 0) are deleted and not filed, unless somebody waits
-- for them and has to see how they ended. The caller holds the jobs' rows.
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
        select j.id, j.definition_id, j.lane_id, j.is_tied, u.attempt, u.worker_id, u.claimed_at, u.state, u.reason,
            u.result, case u.state when 'succeeded' then j.keep_succeeded_secs else j.keep_failed_secs end as keep_secs,
            (select true from {schema}.dependency d where d.needs_id = j.id limit 1) is not null as is_awaited
        from unnest(p_job_ids, p_states, p_reasons, p_results, p_attempts, p_claimed_ats, p_worker_ids)
            u(job_id, state, reason, result, attempt, claimed_at, worker_id)
        cross join lateral (select x.* from {schema}.job x where x.id = u.job_id offset 0) j
    ), dropped as (
        delete from {schema}.job j
        where j.id = any(array(select e.id from ended e where e.keep_secs = 0 and not e.is_awaited))
    )
    insert into {schema}.finalized (
        job_id, definition_id, lane_id, attempt, worker_id, claimed_at, state, reason, result, is_tied, purge_at)
    select e.id, e.definition_id, e.lane_id, e.attempt, e.worker_id, e.claimed_at, e.state, e.reason,
        e.result::json, e.is_tied, clock_timestamp() + interval '1 second' * e.keep_secs
    from ended e where e.keep_secs is distinct from 0 or e.is_awaited;
end $$;
