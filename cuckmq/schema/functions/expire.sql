-- Fails up to p_limit jobs that nobody has taken by their expires_at, and returns them with their names.
--
-- It serves those who wait for such a job while no worker is free. That none is run after its time does
-- not hang on it: claim() looks as well. What was taken once can expire no more (settle() and rescue()
-- see to that when it comes back), and one that is running is left alone.
--
-- Locks the jobs, passing over those that someone else is ending, then their entries, as cancel() does.
create or replace function {schema}.expire(p_limit integer default 1000)
returns table (job_id bigint, definition text)
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
set enable_bitmapscan = off
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_job record;
begin
    for v_job in
        select j.id, j.lane_id, j.run_at, j.error_count + j.stall_count + j.return_count as attempt,
            {schema}.group_hash(j.job_group) as group_hash, d.name
        from {schema}.job j join {schema}.job_definition d on d.id = j.definition_id
        where j.expires_at <= v_now
            and (select true from {schema}.running r where r.job_id = j.id limit 1) is null
        order by j.expires_at limit p_limit for update of j skip locked
    loop
        if {schema}.withdraw(v_job.id, v_job.lane_id, v_job.run_at, v_job.group_hash) then
            perform {schema}.finalize(array[v_job.id], array['failed'], array['expired'], array[null]::text[],
                array[v_job.attempt], array[null]::timestamptz[], array[null]::bigint[]);
            job_id := v_job.id;
            definition := v_job.name;
            return next;
        end if;
    end loop;
end $$;
