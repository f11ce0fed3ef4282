-- A worker says that it lives, and asks after its attempts.
--
-- Returns whether the queue still counts it among the living (if not: stop everything, register anew),
-- which of the given jobs are its own no longer, and of which a cancellation is asked.
-- p_latency_secs tells how long the beat before took to be answered.
-- A beat that comes late is good as long as nobody has taken the worker for dead.
-- Jobs are looked up one by one, in subqueries that no join is made of, or the planner may rather walk all that runs
-- anywhere. Locks the worker's row for the length of the call.
create or replace function {schema}.heartbeat(
    p_worker_id bigint, p_job_ids bigint[], p_attempts integer[], p_latency_secs double precision default null
) returns table (is_alive boolean, lost_job_ids bigint[], cancelled_job_ids bigint[])
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
set enable_bitmapscan = off
as $$
begin
    update {schema}.worker w
    set heartbeat_at = clock_timestamp(), latency_secs = coalesce(p_latency_secs, w.latency_secs)
    where w.id = p_worker_id and not w.is_lost;
    is_alive := found;
    select
        coalesce(array_agg(u.job_id) filter (where r.job_id is null), '{}'),
        coalesce(array_agg(u.job_id) filter (where c.job_id is not null), '{}')
    into lost_job_ids, cancelled_job_ids
    from unnest(p_job_ids, p_attempts) u(job_id, attempt)
    left join lateral (
        select x.job_id from {schema}.running x
        where x.job_id = u.job_id and x.attempt = u.attempt and x.worker_id = p_worker_id offset 0) r on true
    left join lateral (
        select x.job_id from {schema}.cancellation x
        where x.job_id = r.job_id and x.attempt = u.attempt offset 0) c on true;
    return next;
end $$;
