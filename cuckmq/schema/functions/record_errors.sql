-- Writes error records onto their jobs, and counts those that used up a try. Returns the jobs that
-- have no try left. Locks the job rows.
create or replace function {schema}.record_errors(p_job_ids bigint[], p_outcomes text[], p_details text[])
returns bigint[]
language sql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
    with written as (
        update {schema}.job j
        set error_count = j.error_count + (u.outcome = 'error')::integer,
            errors = coalesce(j.errors, '[]') || u.detail::jsonb
        from unnest(p_job_ids, p_outcomes, p_details) u(job_id, outcome, detail)
        where j.id = u.job_id and u.outcome in ('error', 'failed', 'cancelled') and u.detail is not null
        returning j.id, u.outcome = 'error' and j.error_count >= j.num_attempts as is_exhausted
    )
    select coalesce(array_agg(w.id) filter (where w.is_exhausted), '{}') from written w
$$;
