-- Cancels a job. Returns what came of it:
--   cancelled   it had not started, and never will
--   requested   it is running, and its worker is told to stop it
--   null        there is no such live job
--   finishing   its outcome is being written at this very moment, by someone else
--
-- Holding the job's row, it looks for the entry in the order in which entries move (withdraw(), then
-- running), each time with a fresh snapshot, so the job cannot slip past.
-- It waits for a claim or a promotion that has the entry in hand, but never for a settlement, which
-- holds the running row and waits for the job's: the other way round would be a deadlock.
create or replace function {schema}.cancel(p_job_id bigint) returns text
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
declare
    v_job record;
begin
    select j.lane_id, j.run_at, {schema}.group_hash(j.job_group) as group_hash,
        j.error_count + j.stall_count + j.return_count as attempt, l.channel_id
    into v_job
    from {schema}.job j join {schema}.lane l on l.id = j.lane_id
    where j.id = p_job_id and not exists (select from {schema}.finalized f where f.job_id = p_job_id)
    for update of j;
    if not found then
        return null;
    end if;

    if {schema}.withdraw(p_job_id, v_job.lane_id, v_job.run_at, v_job.group_hash) then
        perform {schema}.finalize(array[p_job_id], array['cancelled'], array[null]::text[], array[null]::text[],
            array[v_job.attempt], array[null]::timestamptz[], array[null]::bigint[]);
        return 'cancelled';
    end if;

    update {schema}.running r set is_cancel_requested = true where r.ctid = any(array(
        select x.ctid from {schema}.running x where x.job_id = p_job_id for update skip locked));
    if not found then
        return case when not exists (select from {schema}.finalized f where f.job_id = p_job_id) then 'finishing' end;
    end if;
    perform pg_notify('cuckmq.{schema_name}', 'cancel ' || p_job_id);
    return 'requested';
end $$;
