-- Tells in how many seconds the next slot of these definitions comes: negative when one is due, null for
-- never. Leaves out the schedules named, which the caller cannot serve.
create or replace function {schema}.secs_until_slot(p_definition_ids integer[], p_but_names text[])
returns double precision
language sql
set search_path = pg_catalog, pg_temp
as $$
    select extract(epoch from min(s.next_at) - clock_timestamp())::double precision
    from {schema}.schedule s where s.definition_id = any(p_definition_ids) and not s.is_paused
        and s.name <> all(p_but_names)
$$;
