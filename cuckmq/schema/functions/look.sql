-- Returns jobs by id, live or finalized, in no particular order. Locks nothing.
--
-- Payload, result and notes are null to those who may not read them: see may_read_payloads.
create or replace function {schema}.look(p_job_ids bigint[])
returns setof {schema}.all_job
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
begin
    if {schema}.may_read_payloads() then
        return query select a.* from unnest(p_job_ids) u(id)
        cross join lateral (select x.* from {schema}.all_job x where x.id = u.id offset 0) a;
    else
        return query select
            a.id, a.definition, a.channel, a.priority, a.job_group, a.state, a.reason, a.attempt,
            a.error_count, a.stall_count, a.num_attempts, a.num_stalls, a.num_failures,
            a.created_at, a.run_at, a.claimed_at, a.finalized_at, a.worker_id, a.is_cancel_requested,
            null::json, null::json, a.errors, a.progress, a.progress_message, null::jsonb
        from unnest(p_job_ids) u(id)
        cross join lateral (select x.* from {schema}.all_job x where x.id = u.id offset 0) a;
    end if;
end $$;
