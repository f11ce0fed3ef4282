-- Cancels a job. Returns what came of it:
--   cancelled   it had not started, and never will
--   requested   it is running, and its worker is told to stop it. An end that is written at this moment stands;
--               but it will not start again, whatever becomes of the attempt
--   null        there is no such live job
--
-- Holding the job's row, it looks for the entry in the order in which entries move (withdraw(), then
-- running), each time with a fresh snapshot, so the job cannot slip past.
--
-- Of one that runs it leaves word in `cancellation`, and not in the running row: that is held by a settlement, or
-- by the attempt's own transaction for as long as that is open. Whoever might have the job run again (settle,
-- rescue, recall) first takes the job's row, and then, with a fresh snapshot, looks for such word. So either they
-- come after us and find it, or we wait for them and find the entry where they put it.
--
-- Locks: the job's row to the end of the transaction, then its entry. It waits for a claim, a promotion or a
-- settlement that has these in hand, and never for an attempt. Settlements take the jobs of their batch in the
-- order of their ids: whoever cancels several jobs in one transaction does so in that order, or may meet a
-- settlement in a circle. Then PostgreSQL ends one of the two; a worker settles again, and nothing is lost.
create or replace function {schema}.cancel(p_job_id bigint) returns text
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
declare
    v_job record;
    v_running_attempt integer;
begin
    select j.lane_id, j.run_at, {schema}.group_hash(j.job_group) as group_hash,
        j.error_count + j.stall_count + j.return_count as attempt
    into v_job
    from {schema}.job j
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

    select r.attempt into v_running_attempt from {schema}.running r where r.job_id = p_job_id;
    if not found then
        return null;  -- it has just ended
    end if;
    insert into {schema}.cancellation (job_id, attempt) values (p_job_id, v_running_attempt) on conflict do nothing;
    perform pg_notify('cuckmq.{schema_name}', 'cancel ' || p_job_id);
    return 'requested';
end $$;
