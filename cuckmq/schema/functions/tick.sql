-- Enqueues the jobs of schedules that are due, one per schedule, for the definitions given.
--
-- The schedule's row is locked while its job is put in and its next moment is written, all in one
-- transaction, so each slot is enqueued once whatever the number of orchestrators. The next slot is
-- counted from the planned moment, so the rhythm does not drift. Slots missed while nobody ticked
-- become one.
--
-- Returns a row per schedule that was due: its slot and job; the job is null for a schedule whose
-- definition the caller does not know, which is left for one who does. The last row, without a name,
-- tells the seconds to the next slot.
create or replace function {schema}.tick(p_definition_ids integer[])
returns table (name text, slot_at timestamptz, job_id bigint, secs double precision)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_due record;
    v_now timestamptz := clock_timestamp();
begin
    for v_due in
        select s.name, s.next_at, s.repeat_secs, s.definition_id = any(p_definition_ids) as is_known
        from {schema}.schedule s where s.next_at <= v_now order by s.next_at for update skip locked
    loop
        name := v_due.name;
        slot_at := v_due.next_at;
        job_id := null;
        if v_due.is_known then
            job_id := {schema}.enqueue(v_due.name);
            update {schema}.schedule s
            set last_at = v_due.next_at,
                next_at = v_due.next_at + v_due.repeat_secs * interval '1 second' * (1 + floor(
                    extract(epoch from v_now - v_due.next_at)::double precision / v_due.repeat_secs))
            where s.name = v_due.name;
        end if;
        return next;
    end loop;
    name := null;
    slot_at := null;
    job_id := null;
    secs := (
        select extract(epoch from min(s.next_at) - clock_timestamp())::double precision
        from {schema}.schedule s where s.definition_id = any(p_definition_ids));
    return next;
end $$;
