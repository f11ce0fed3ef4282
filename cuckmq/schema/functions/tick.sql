-- Enqueues the jobs of one schedule for the slots given, and writes its next slot; all in one transaction.
--
-- Who ticks has read the schedule before and counted its slots from p_due_at. The fence is that p_due_at
-- still is the schedule's next slot and nobody else has the row in hand: so each slot is served once
-- whatever the number of orchestrators, and no transaction is held open while slots are counted.
--
-- A slot whose predecessor's job is live is treated as the schedule says: `queue` puts its job in all the
-- same; `skip` puts in none; `replace` cancels the live one (a running one is asked to stop) and puts in.
--
-- Returns a row per slot; without a job where it was skipped. No rows: another was first, or the schedule
-- is gone, paused or changed.
create or replace function {schema}.tick(
    p_name text,
    p_due_at timestamptz,
    p_slots timestamptz[],
    p_next_at timestamptz
) returns table (slot_at timestamptz, job_id bigint)
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_schedule record;
    v_job_id bigint;
begin
    select s.payload, s.job_group, s.overlap, s.last_job_id, d.name as definition into v_schedule
    from {schema}.schedule s join {schema}.job_definition d on d.id = s.definition_id
    where s.name = p_name and s.next_at = p_due_at and not s.is_paused
    for update of s skip locked;
    if not found then
        return;
    end if;
    v_job_id := v_schedule.last_job_id;
    foreach slot_at in array p_slots loop
        job_id := null;
        if v_schedule.overlap = 'replace' then
            perform {schema}.cancel(v_job_id);
        end if;
        if v_schedule.overlap <> 'skip'
            or exists (select from {schema}.finalized f where f.job_id = v_job_id)
            or not exists (select from {schema}.job j where j.id = v_job_id)
        then
            -- A schedule cannot wait for room, and what it puts in is known beforehand.
            v_job_id := abs(({schema}.enqueue_many(
                v_schedule.definition, array[v_schedule.payload::text], array[v_schedule.job_group],
                p_on_full => 'ignore'))[1]);
            job_id := v_job_id;
        end if;
        return next;
    end loop;
    update {schema}.schedule s
    set next_at = p_next_at, last_job_id = v_job_id,
        last_at = coalesce(p_slots[cardinality(p_slots)], s.last_at)
    where s.name = p_name;
end $$;
