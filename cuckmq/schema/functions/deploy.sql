-- Makes a definition known, or brings what is known of it up to date. Returns its id, which stays.
--
-- A definition that repeats gets a schedule: due at once when it is new, and otherwise left in its
-- rhythm unless the rhythm itself changed. One that no longer repeats loses its schedule.
-- Safe to repeat, and safe to run by many at once. Locks the definition's row,
-- then its schedule's, to the end.
create or replace function {schema}.deploy(
    p_name text,
    p_channel text default '_default',
    p_priority integer default 0,
    p_delay_secs double precision default 0,
    p_num_attempts integer default 1,
    p_num_stalls integer default 3,
    p_num_failures integer default 2147483647,
    p_repeat_secs double precision default null,
    p_job_group text default null
) returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_lane_id integer := {schema}.lane_for(p_channel, p_priority);
    v_id integer;
begin
    insert into {schema}.job_definition as d (
        name, lane_id, delay_secs, num_attempts, num_stalls, num_failures, job_group)
    values (p_name, v_lane_id, p_delay_secs, p_num_attempts, p_num_stalls, p_num_failures, p_job_group)
    on conflict (name) do update set
        lane_id = excluded.lane_id,
        delay_secs = excluded.delay_secs,
        num_attempts = excluded.num_attempts,
        num_stalls = excluded.num_stalls,
        num_failures = excluded.num_failures,
        job_group = excluded.job_group,
        deployed_at = excluded.deployed_at,
        undeployed_at = null
    returning d.id into v_id;

    if p_repeat_secs is null then
        delete from {schema}.schedule s where s.name = p_name;
    else
        insert into {schema}.schedule as s (name, definition_id, repeat_secs, next_at)
        values (p_name, v_id, p_repeat_secs, clock_timestamp())
        on conflict (name) do update set
            repeat_secs = excluded.repeat_secs,
            next_at = least(s.next_at, clock_timestamp() + excluded.repeat_secs * interval '1 second')
        where s.repeat_secs <> excluded.repeat_secs;
    end if;
    return v_id;
end $$;
