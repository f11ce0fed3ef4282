-- Returns all schedules, or the one of a name, by name. Locks nothing.
--
-- The payload is null to those who may not read any: see may_read_payloads.
create or replace function {schema}.list_schedules(p_name text default null)
returns table (
    name text, definition text, repeat_secs double precision, cron text, timezone text, missed text,
    overlap text, payload json, is_paused boolean, next_at timestamptz, last_at timestamptz
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select s.name, d.name, s.repeat_secs, s.cron, s.timezone, s.missed, s.overlap,
        case when {schema}.may_read_payloads() then s.payload end, s.is_paused, s.next_at, s.last_at
    from {schema}.schedule s join {schema}.job_definition d on d.id = s.definition_id
    where p_name is null or s.name = p_name
    order by s.name;
end $$;
