-- Makes a definition known, or brings what is known of it up to date. Returns its id, which stays.
--
-- A definition that repeats gets a schedule of its name (see put_schedule): due at p_next_at when it is new,
-- which is at once unless said otherwise. One that no longer repeats loses that schedule.
-- Limits are set when p_is_limited is given, null limits being none; otherwise they stay as they are.
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
    p_job_group text default null,
    p_unique_key text default null,
    p_unique_scope text default null,
    p_unique_for_secs double precision default null,
    p_is_duplicate_refused boolean default false,
    p_expires_secs double precision default null,
    p_keep_succeeded_secs double precision default null,
    p_keep_failed_secs double precision default null,
    p_cron text default null,
    p_timezone text default 'UTC',
    p_missed text default 'one',
    p_overlap text default 'queue',
    p_next_at timestamptz default null,
    p_is_limited boolean default null,
    p_concurrency integer default null,
    p_rate integer default null,
    p_rate_secs double precision default null
) returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_lane_id integer := {schema}.lane_for(p_channel, p_priority, coalesce((
        select l.definition_id from {schema}.job_definition d join {schema}.lane l on l.id = d.lane_id
        where d.name = p_name), 0));
    v_id integer;
begin
    insert into {schema}.job_definition as d (
        name, lane_id, delay_secs, num_attempts, num_stalls, num_failures, job_group,
        unique_key, unique_scope, unique_for_secs, is_duplicate_refused,
        expires_secs, keep_succeeded_secs, keep_failed_secs)
    values (
        p_name, v_lane_id, p_delay_secs, p_num_attempts, p_num_stalls, p_num_failures, p_job_group,
        p_unique_key, p_unique_scope, p_unique_for_secs, p_is_duplicate_refused,
        p_expires_secs, p_keep_succeeded_secs, p_keep_failed_secs)
    on conflict (name) do update set
        lane_id = excluded.lane_id,
        delay_secs = excluded.delay_secs,
        num_attempts = excluded.num_attempts,
        num_stalls = excluded.num_stalls,
        num_failures = excluded.num_failures,
        job_group = excluded.job_group,
        unique_key = excluded.unique_key,
        unique_scope = excluded.unique_scope,
        unique_for_secs = excluded.unique_for_secs,
        is_duplicate_refused = excluded.is_duplicate_refused,
        expires_secs = excluded.expires_secs,
        keep_succeeded_secs = excluded.keep_succeeded_secs,
        keep_failed_secs = excluded.keep_failed_secs,
        deployed_at = excluded.deployed_at,
        undeployed_at = null
    returning d.id into v_id;

    if p_is_limited is not null then
        perform {schema}.limit_definition(p_name, p_concurrency, p_rate, p_rate_secs);
    end if;

    if p_repeat_secs is null and p_cron is null then
        delete from {schema}.schedule s where s.definition_id = v_id and s.is_declared;
    else
        perform {schema}.put_schedule(p_name, p_name, true, p_repeat_secs, p_cron, p_timezone, p_missed, p_overlap,
            coalesce(p_next_at, clock_timestamp()));
    end if;
    return v_id;
end $$;
