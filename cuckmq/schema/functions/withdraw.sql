-- Takes away the entry of a job that has not started, and tells whether it was there. The caller holds the
-- job's row, and ends the job: cancel() or expire().
--
-- It looks in the order in which entries move (blocked, scheduled, then ready or waiting), each time with a fresh
-- snapshot, so the job cannot slip past. False: it is running, or about to be filed.
-- Waits for a claim or a promotion that has the entry in hand.
create or replace function {schema}.withdraw(
    p_job_id bigint,
    p_lane_id integer,
    p_run_at timestamptz,
    p_group_hash bigint
) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
begin
    delete from {schema}.blocked b where b.job_id = p_job_id;
    if found then
        delete from {schema}.dependency d where d.job_id = p_job_id;
        return true;
    end if;
    delete from {schema}.scheduled s
    where s.lane_id = p_lane_id and s.run_at = p_run_at and s.job_id = p_job_id;
    if found then
        return true;
    end if;
    if p_group_hash is null then
        delete from {schema}.ready r
        where r.lane_id = p_lane_id and r.run_at = p_run_at and r.job_id = p_job_id;
    else
        delete from {schema}.waiting w
        where w.group_hash = p_group_hash and w.lane_id = p_lane_id and w.job_id = p_job_id;
    end if;
    return found;
end $$;
