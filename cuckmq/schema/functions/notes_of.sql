-- Returns what a job's attempts have noted; no row when they have noted nothing. Locks nothing.
create or replace function {schema}.notes_of(p_job_id bigint) returns setof jsonb
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
begin
    return query select p.notes from {schema}.progress p where p.job_id = p_job_id and p.notes is not null;
end $$;
