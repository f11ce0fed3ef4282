-- Gives the outcomes of attempts, and the groups whose slice is done.
--
-- The fence: an outcome counts only if its attempt's `running` row is there to be deleted. Otherwise
-- the job was taken away meanwhile, the outcome is dropped, and the verdict says `lost`.
-- Sending the same outcome twice is safe: the second is lost.
--
-- p_outcomes, each with what p_details means for it:
--   succeeded   the result, as JSON
--   error       an error record, as a JSON object; counts as a try. With tries left the job runs again
--               after its delay, otherwise it has failed for its reason. Without a delay it has failed
--               whatever tries are left. Errors and stalls that come to as many as the job may have in all
--               fail it too: `exhausted`
--   failed      an error record; fails for its reason whatever tries are left
--   cancelled   an error record or null
--   snoozed     runs again after its delay; no try is counted
--
-- What would run again, and of which a cancellation was asked, is cancelled instead.
--
-- Returns a verdict for each outcome but a plain success: what became of the job (`failed`, `exhausted`,
-- `cancelled`, `scheduled`, `lost`); `emptied` for a group with nobody left in line; and, with its definition,
-- `dependency_failed` or `dependency_cancelled` for a job that ended because it waited for one of these.
-- Locks: the running rows, then the job rows, then groups as release_groups() says.
--
-- Of a job without a limit on errors the latest 20 are kept, or it would grow with each.
--
-- A job whose definition keeps none that end so (an age of 0) is deleted and not filed.
--
-- It is one statement because each array handed from one to the next costs as much as deleting a row;
-- finalize() is the same ending for those who settle nothing (rescue, cancel).
create or replace function {schema}.settle(
    p_worker_id bigint,
    p_job_ids bigint[],
    p_attempts integer[],
    p_outcomes text[],
    p_reasons text[],
    p_details text[],
    p_delays_secs double precision[],
    p_group_hashes bigint[]
) returns table (id bigint, verdict text, definition text)
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
begin
    if p_job_ids <> '{}' then
        return query
        with given as (
            select * from unnest(p_job_ids, p_attempts, p_outcomes, p_reasons, p_details, p_delays_secs)
                g(job_id, attempt, outcome, reason, detail, delay_secs)
        ), mine as (
            delete from {schema}.running r using given g
            where r.job_id = g.job_id and r.attempt = g.attempt and r.worker_id = p_worker_id
            returning g.job_id, g.attempt, g.reason, g.detail, g.delay_secs, r.claimed_at,
                case when r.is_cancel_requested and g.outcome in ('error', 'snoozed') then 'cancelled'
                    else g.outcome end as outcome
        ), ended as (
            delete from {schema}.job j using mine m
            where j.id = m.job_id and (
                m.outcome in ('succeeded', 'failed', 'cancelled')
                or (m.outcome = 'error' and (
                    m.delay_secs is null
                    or j.error_count + 1 >= least(j.num_attempts, j.num_failures - j.stall_count))))
            returning j.*, m.attempt, m.outcome, m.detail, m.claimed_at, case
                when m.outcome = 'error' and m.delay_secs is not null and j.error_count + 1 < j.num_attempts
                    then 'exhausted'
                when m.outcome in ('error', 'failed') then coalesce(m.reason, 'error')
            end as reason
        ), filed as (
            insert into {schema}.finalized_job (
                id, definition_id, lane_id, num_attempts, num_stalls, num_failures, error_count, stall_count,
                attempt, worker_id, run_at, created_at, claimed_at, state, reason, job_group, payload, result,
                errors, is_tied, purge_at)
            select e.id, e.definition_id, e.lane_id, e.num_attempts, e.num_stalls, e.num_failures,
                e.error_count + (e.outcome = 'error')::integer, e.stall_count, e.attempt,
                p_worker_id, e.run_at, e.created_at, e.claimed_at,
                case e.outcome when 'error' then 'failed' else e.outcome end,
                e.reason, e.job_group, e.payload,
                case e.outcome when 'succeeded' then e.detail end::json,
                case when e.outcome = 'succeeded' or e.detail is null then e.errors
                    else coalesce(e.errors, '[]') || e.detail::jsonb end,
                e.is_tied,
                clock_timestamp() + interval '1 second'
                    * case e.outcome when 'succeeded' then e.keep_succeeded_secs else e.keep_failed_secs end
            from ended e
            where case e.outcome when 'succeeded' then e.keep_succeeded_secs else e.keep_failed_secs end
                is distinct from 0
                or exists (select from {schema}.dependency d where d.needs_id = e.id)
        ), later as (
            update {schema}.job j
            set expires_at = null,  -- it was started in time
                error_count = j.error_count + (m.outcome = 'error')::integer,
                return_count = j.return_count + (m.outcome = 'snoozed')::integer,
                errors = case m.outcome when 'error' then
                    case when j.num_attempts = 2147483647 and jsonb_array_length(j.errors) >= 20
                        then j.errors - 0 else coalesce(j.errors, '[]') end || m.detail::jsonb
                    else j.errors end,
                run_at = clock_timestamp() + greatest(m.delay_secs, 0) * interval '1 second'
            from mine m
            where j.id = m.job_id and (
                m.outcome = 'snoozed'
                or (m.outcome = 'error' and m.delay_secs is not null
                    and j.error_count + 1 < least(j.num_attempts, j.num_failures - j.stall_count)))
            returning j.id, j.lane_id, j.definition_id, j.run_at, {schema}.group_hash(j.job_group) as group_hash,
                {schema}.is_suspect(j.stall_count, j.num_stalls) as is_suspect
        ), put_off as (
            insert into {schema}.scheduled (lane_id, definition_id, run_at, job_id, group_hash, is_suspect)
            select l.lane_id, l.definition_id, l.run_at, l.id, l.group_hash, l.is_suspect from later l
        )
        select g.job_id, case
            when m.job_id is null then 'lost'
            else s.verdict
        end, null::text
        from given g
        left join mine m on m.job_id = g.job_id
        left join (
            select l.id, 'scheduled' as verdict from later l
            union all
            select e.id, case when e.reason = 'exhausted' then e.reason
                when e.outcome = 'error' then 'failed' else e.outcome end
            from ended e where e.outcome <> 'succeeded'
        ) s on s.id = g.job_id
        where m.job_id is null or m.outcome <> 'succeeded';

        if exists (select from {schema}.dependency d where d.needs_id = any(p_job_ids)) then
            return query select u.job_id, 'dependency_' || u.state, u.definition
            from {schema}.unblock(array(
                select distinct d.job_id from {schema}.dependency d where d.needs_id = any(p_job_ids))) u;
        end if;
    end if;

    if p_group_hashes <> '{}' then
        return query select u.g, 'emptied', null::text
        from unnest({schema}.release_groups(p_worker_id, p_group_hashes)) u(g);
    end if;
end $$;
