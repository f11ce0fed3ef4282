-- Takes one job for a worker that stood idle and was told of something: what exchange() would do with it, in statements
-- of a single row. Getting ready statements that can claim anything takes several times as long as one job does, most
-- of all after a pause, when nothing of it lies in a cache.
--
-- It takes what stands first in the first lane, by priority, in which anything stands, if that is a job of no group.
-- Turns of groups, lanes with limits, suspects and entries that came due are left to exchange(), which the worker asks
-- next, whatever was found here. So nothing waits for longer than this answer, and what only exchange() may
-- take, be it of a higher priority, stands behind one job at most.
--
-- Returns that job as exchange() does, or nothing.
-- Locks, never waiting: a ready entry; then as exchange() says, the job's keys and the worker's own row, which proves that
-- the worker is alive. Else CQ002, and nothing was claimed.
create or replace function {schema}.claim_one(
    p_worker_id bigint,
    p_num_recalls integer,
    p_channel_ids integer[],
    p_definition_ids integer[]
) returns table (
    verdict text, job_id bigint, attempt integer, definition_id integer, lane_id integer, run_at timestamptz,
    job_group text, group_hash bigint, is_suspect boolean, error_count integer, stall_count integer,
    num_attempts integer, payload text, secs double precision
)
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
set enable_bitmapscan = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    v_is_tied boolean;
    v_keep_succeeded_secs double precision;
begin
    delete from {schema}.ready r where r.ctid = (
        select case when y.group_hash is null then y.ctid end
        from (
            select l.id from {schema}.lane l
            where (p_channel_ids is null or l.channel_id = any(p_channel_ids)) and not l.is_paused and not l.is_limited
            order by l.priority desc, random()
        ) lane cross join lateral (
            select z.ctid, z.group_hash from {schema}.ready z
            where z.lane_id = lane.id and not z.is_suspect
                and (z.definition_id is null or z.definition_id = any(p_definition_ids))
            order by z.run_at limit 1 for update skip locked
        ) y
        limit 1)
    returning r.job_id into job_id;
    if not found then
        return;
    end if;

    -- Into scalars, as in enqueue_one().
    select j.definition_id, j.lane_id, j.run_at, j.error_count, j.stall_count,
        j.error_count + j.stall_count + j.return_count + 1,
        least(j.num_attempts, j.num_failures - j.stall_count),
        case when j.expires_at <= clock_timestamp() then null else j.payload end,
        j.is_tied, j.keep_succeeded_secs
    into definition_id, lane_id, run_at, error_count, stall_count, attempt, num_attempts, payload,
        v_is_tied, v_keep_succeeded_secs
    from {schema}.job j where j.id = claim_one.job_id;
    insert into {schema}.running (
        job_id, definition_id, lane_id, worker_id, attempt, is_tied, keep_succeeded_secs)
    values (
        claim_one.job_id, claim_one.definition_id, claim_one.lane_id, p_worker_id, claim_one.attempt, v_is_tied,
        v_keep_succeeded_secs);
    if v_is_tied then
        update {schema}.unique_key k set is_held = false
        where k.job_id = claim_one.job_id
            and case when k.is_held then k.scope = 'queued' end;  -- or all keys held may be walked
    end if;

    perform 1 from {schema}.worker w
    where w.id = p_worker_id and not w.is_lost and w.num_recalls = p_num_recalls for key share skip locked;
    if not found then
        raise exception 'worker % was taken for dead, or has recalled its jobs', p_worker_id
        using errcode = 'CQ002';
    end if;
    is_suspect := false;
    return next;
end $$;
