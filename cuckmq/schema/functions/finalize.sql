-- Ends jobs. Every job ends here, whoever ends it: finish() and settle() do the same by themselves, and rescue(),
-- cancel() and expire() call this. What waited for them is opened, or ends with them (unblock).
--
-- The caller has already taken the job's entry away (that was the fence), so this cannot race with
-- anyone but another holder of the job's own row. The arrays run in parallel. Locks as
-- unblock() does.
create or replace function {schema}.finalize(
    p_job_ids bigint[],
    p_states text[],
    p_reasons text[],
    p_results text[],
    p_attempts integer[],
    p_claimed_ats timestamptz[],
    p_worker_ids bigint[]
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
begin
    perform {schema}.file_away(
        p_job_ids, p_states, p_reasons, p_results, p_attempts, p_claimed_ats, p_worker_ids);
    if exists (select from {schema}.dependency d where d.needs_id = any(p_job_ids)) then
        perform {schema}.unblock(array(
            select distinct d.job_id from {schema}.dependency d where d.needs_id = any(p_job_ids)));
    end if;
end $$;
