-- Adds a schedule, or brings one up to date. Its next slot stays unless the rhythm itself changed; it is never
-- put off, only brought forward, when a rhythm in seconds did.
--
-- p_next_at is the first slot of a new schedule, or of a new rhythm. p_payload is JSON text.
-- Errors: CQ001 when the definition is not deployed; CQ003 when the name belongs to another definition, or
-- to a schedule that is declared and not added, or the other way round.
-- Locks the schedule's row to the end; waits for a tick that has it in hand.
create or replace function {schema}.put_schedule(
    p_name text,
    p_definition text,
    p_is_declared boolean,
    p_repeat_secs double precision,
    p_cron text,
    p_timezone text,
    p_missed text,
    p_overlap text,
    p_next_at timestamptz,
    p_payload text default 'null',
    p_job_group text default null
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_definition_id integer;
begin
    select d.id into v_definition_id from {schema}.job_definition d
    where d.name = p_definition and d.undeployed_at is null;
    if not found then
        raise exception 'job definition "%" is not deployed', p_definition
        using errcode = 'CQ001', hint = 'Deploy the definition before adding a schedule: await definition.deploy()';
    end if;
    insert into {schema}.schedule as s (
        name, definition_id, is_declared, repeat_secs, cron, timezone, missed, overlap, payload, job_group, next_at)
    values (
        p_name, v_definition_id, p_is_declared, p_repeat_secs, p_cron, p_timezone, p_missed, p_overlap,
        p_payload::json, p_job_group, p_next_at)
    on conflict (name) do update set
        repeat_secs = excluded.repeat_secs, cron = excluded.cron, timezone = excluded.timezone,
        missed = excluded.missed, overlap = excluded.overlap, payload = excluded.payload,
        job_group = excluded.job_group,
        next_at = case
            when (s.repeat_secs, s.cron, s.timezone) is not distinct from (p_repeat_secs, p_cron, p_timezone)
                then s.next_at
            when p_repeat_secs is null then p_next_at
            else least(s.next_at, clock_timestamp() + excluded.repeat_secs * interval '1 second') end
    where s.definition_id = v_definition_id and s.is_declared = p_is_declared;
    if not found then
        raise exception 'there is another schedule "%"', p_name
        using errcode = 'CQ003',
            hint = 'names of schedules are unique, and one that its definition declares is changed there';
    end if;
end $$;
