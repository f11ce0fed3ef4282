-- Puts jobs into `scheduled`, each to run after its delay. The caller has taken their entries away.
-- Locks the job rows.
create or replace function {schema}.postpone(p_job_ids bigint[], p_delays_secs double precision[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
begin
    with moved as (
        update {schema}.job j
        set run_at = clock_timestamp() + greatest(u.delay_secs, 0) * interval '1 second'
        from unnest(p_job_ids, p_delays_secs) u(job_id, delay_secs)
        where j.id = u.job_id
        returning j.id, j.lane_id, j.definition_id, j.run_at, j.job_group
    )
    insert into {schema}.scheduled (lane_id, definition_id, run_at, job_id, group_hash)
    select m.lane_id, m.definition_id, m.run_at, m.id, {schema}.group_hash(m.job_group) from moved m;
end $$;
