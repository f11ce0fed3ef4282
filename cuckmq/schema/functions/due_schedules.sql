-- Tells the schedules whose next slot has come, earliest first, with what is needed to count their slots, and
-- whether their definitions are among those given. Locks nothing; tick() finds out who was first.
create or replace function {schema}.due_schedules(p_definition_ids integer[])
returns table (
    name text, definition text, due_at timestamptz, now timestamptz, repeat_secs double precision, cron text,
    timezone text, missed text, is_known boolean
)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_now timestamptz := clock_timestamp();
begin
    return query
    select s.name, d.name, s.next_at, v_now, s.repeat_secs, s.cron, s.timezone, s.missed,
        s.definition_id = any(p_definition_ids)
    from {schema}.schedule s join {schema}.job_definition d on d.id = s.definition_id
    where s.next_at <= v_now and not s.is_paused
    order by s.next_at;
end $$;
