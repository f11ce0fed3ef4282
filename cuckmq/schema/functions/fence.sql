-- Locks the `running` row of an attempt to the end of the caller's transaction, and returns the job's id;
-- no row when the attempt is no longer this worker's.
create or replace function {schema}.fence(p_job_id bigint, p_worker_id bigint, p_attempt integer)
returns setof bigint
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
begin
    return query
    select r.job_id from {schema}.running r
    where r.job_id = p_job_id and r.worker_id = p_worker_id and r.attempt = p_attempt for update;
end $$;
