-- A worker leaves: whatever it still holds goes back, and it is forgotten. Safe to repeat.
-- Returns the jobs put back. Locks as recall() does.
create or replace function {schema}.retire_worker(p_worker_id bigint) returns bigint[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_job_ids bigint[] := {schema}.recall(p_worker_id, '{}');
begin
    delete from {schema}.worker w where w.id = p_worker_id;
    return v_job_ids;
end $$;
