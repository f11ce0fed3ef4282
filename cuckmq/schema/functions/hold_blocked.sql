-- Takes blocked jobs in hand, so that nobody else opens, cancels or expires them until the caller's transaction
-- ends, and returns those it has. Part of unblock().
--
-- It waits for those that somebody else has in hand, in the order of their ids, so that two who want the same
-- ones do not wait in a circle. But for each no longer than half a second: the other may be a transaction that
-- somebody has left open, or may be waiting for a job of ours (one that cancels several in one transaction).
-- What it does not get by then it goes without. Half a second is less than the time after which PostgreSQL
-- looks for deadlocks, so nobody gets an error.
--
-- Locks: the jobs' rows and their entries, waiting for a moment.
create or replace function {schema}.hold_blocked(p_job_ids bigint[]) returns bigint[]
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
set lock_timeout = '500ms'
as $$
begin
    return array(
        select j.id from {schema}.job j join {schema}.blocked b on b.job_id = j.id
        where j.id = any(p_job_ids) and b.job_id = any(p_job_ids) order by j.id for update);
exception when lock_not_available or deadlock_detected then
    return array(
        select j.id from {schema}.job j join {schema}.blocked b on b.job_id = j.id
        where j.id = any(p_job_ids) and b.job_id = any(p_job_ids) for update skip locked);
end $$;
