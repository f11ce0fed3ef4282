-- Moves jobs whose time has come from `scheduled` to where they may be claimed: `ready`, or their
-- group's line with a turn for it. At most p_limit, earliest first, only of the given lanes.
--
-- A suspect that was put off, after an error or a snooze, is a suspect still.
-- Returns the earliest moment among those moved, by which claim() lowers its low-water marks: what was
-- moved stands at its own run_at, which may lie behind them.
-- Locks what it moves; passes over what another session is moving.
create or replace function {schema}.promote(p_lane_ids integer[], p_limit integer) returns timestamptz
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
set enable_bitmapscan = off
as $$
declare
    v_earliest timestamptz;
    v_now timestamptz := clock_timestamp();  -- the function itself, called for each row, would bound no index scan
begin
    with due as (
        delete from {schema}.scheduled s where s.ctid = any(array(
            select x.ctid from unnest(p_lane_ids) lane(id) cross join lateral (
                select y.ctid from {schema}.scheduled y
                where y.lane_id = lane.id and y.run_at <= v_now
                order by y.run_at limit p_limit for update skip locked
            ) x limit p_limit))
        returning s.lane_id, s.definition_id, s.run_at, s.job_id, s.group_hash, s.is_suspect
    ), lined_up as (
        insert into {schema}.waiting (group_hash, lane_id, definition_id, job_id)
        select d.group_hash, d.lane_id, d.definition_id, d.job_id
        from due d where d.group_hash is not null and d.job_id is not null
    ), opened as (
        insert into {schema}.ready (lane_id, definition_id, run_at, job_id, group_hash, is_suspect)
        select d.lane_id, d.definition_id, d.run_at, d.job_id, null, d.is_suspect
        from due d where d.group_hash is null
        union all
        select d.lane_id, null, min(d.run_at), null, d.group_hash, bool_or(d.is_suspect)
        from due d where d.group_hash is not null group by d.lane_id, d.group_hash
    )
    select min(d.run_at) into v_earliest from due d;
    return v_earliest;
end $$;
