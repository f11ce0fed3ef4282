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
-- What would run again, and of which a cancellation was asked, is cancelled instead (see cancel()).
--
-- Returns a verdict for each outcome but a plain success: what became of the job (`failed`, `exhausted`,
-- `cancelled`, `scheduled`, `lost`); `emptied` for a group with nobody left in line; and, with its definition,
-- `dependency_failed` or `dependency_cancelled` for a job that ended because it waited for one of these.
-- Locks: of each job its running row and its own, in the order of their ids; then groups as release_groups() says.
--
-- Of a job without a limit on errors the latest 20 are kept, or it would grow with each.
--
-- A job whose definition keeps none that end so (an age of 0) is deleted and not filed.
--
-- Plans: what is given and what was taken are compared by hashes, which they are not if they are joined: to the
-- planner each is a handful. In a `case` an `in` is not made a join.
--
-- finish() is the same for attempts that succeeded, and is what workers give those to; finalize() is the same
-- ending for those who settle nothing (rescue, cancel).
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
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
    if p_job_ids <> '{}' then
        -- In a statement of its own, so that the next sees each cancellation that came before it.
        perform 1 from {schema}.job j where j.id = any(array(
            select r.job_id from unnest(p_job_ids, p_attempts) g(job_id, attempt) cross join lateral (
                select x.job_id from {schema}.running x
                where x.job_id = g.job_id and x.attempt = g.attempt and x.worker_id = p_worker_id offset 0) r))
        order by j.id for no key update;

        return query
        with given as (
            select * from unnest(p_job_ids, p_attempts, p_outcomes, p_reasons, p_details, p_delays_secs)
                g(job_id, attempt, outcome, reason, detail, delay_secs)
        ), taken as (
            delete from {schema}.running r
            where r.job_id = any(p_job_ids) and r.worker_id = p_worker_id
                and case when true then (r.job_id, r.attempt) in (select g.job_id, g.attempt from given g) end
            returning r.job_id
        ), mine as materialized (
            select g.job_id, g.attempt, g.reason as given_reason, g.detail, g.delay_secs, r.claimed_at,
                case when g.outcome in ('error', 'snoozed') and (
                    select true from {schema}.cancellation c where c.job_id = g.job_id and c.attempt = g.attempt limit 1)
                then 'cancelled' else g.outcome end as outcome
            from given g
            cross join lateral (select x.claimed_at from {schema}.running x where x.job_id = g.job_id offset 0) r
            where case when true then g.job_id in (select t.job_id from taken t) end
        ), judged as (
            select m.*, j.definition_id, j.lane_id, j.num_stalls, j.stall_count, j.job_group, j.is_tied,
                case m.outcome when 'succeeded' then j.keep_succeeded_secs else j.keep_failed_secs end as keep_secs,
                case when m.outcome = 'error' and m.delay_secs is not null
                        and j.error_count + 1 < least(j.num_attempts, j.num_failures - j.stall_count) then 'scheduled'
                    when m.outcome = 'snoozed' then 'scheduled'
                    when m.outcome = 'error' then 'failed'
                    else m.outcome
                end as state,
                m.outcome = 'error' and m.delay_secs is not null and j.error_count + 1 < j.num_attempts as is_short,
                clock_timestamp() + greatest(m.delay_secs, 0) * interval '1 second' as run_at
            from mine m cross join lateral (select x.* from {schema}.job x where x.id = m.job_id offset 0) j
        ), fate as (
            select x.*, case when x.state = 'failed' then
                    case when x.is_short then 'exhausted' else coalesce(x.given_reason, 'error') end end as reason,
                x.state <> 'scheduled' and x.keep_secs is not distinct from 0
                    and (select true from {schema}.dependency d where d.needs_id = x.job_id limit 1) is null
                    as is_dropped
            from judged x
        ), told as (
            update {schema}.job j
            set (error_count, return_count, errors, run_at, expires_at) = (
                select j.error_count + (x.outcome = 'error')::integer,
                    j.return_count + (x.outcome = 'snoozed')::integer,
                    case
                        when x.detail is null or x.outcome = 'snoozed' then j.errors
                        when j.num_attempts = 2147483647 and x.state = 'scheduled'
                                and jsonb_array_length(j.errors) >= 20
                            then (j.errors - 0) || x.detail::jsonb
                        else coalesce(j.errors, '[]') || x.detail::jsonb
                    end,
                    case x.state when 'scheduled' then x.run_at else j.run_at end,
                    null::timestamptz  -- it was started in time
                from fate x where x.job_id = j.id)
            where j.id = any(array(
                select x.job_id from fate x where x.outcome <> 'succeeded' and not x.is_dropped))
        ), dropped as (
            delete from {schema}.job j where j.id = any(array(select x.job_id from fate x where x.is_dropped))
        ), filed as (
            insert into {schema}.finalized (
                job_id, definition_id, lane_id, attempt, worker_id, claimed_at, state, reason, result, is_tied,
                purge_at)
            select x.job_id, x.definition_id, x.lane_id, x.attempt, p_worker_id, x.claimed_at, x.state, x.reason,
                case x.state when 'succeeded' then x.detail end::json, x.is_tied,
                clock_timestamp() + interval '1 second' * x.keep_secs
            from fate x where x.state <> 'scheduled' and not x.is_dropped
        ), put_off as (
            insert into {schema}.scheduled (lane_id, definition_id, run_at, job_id, group_hash, is_suspect)
            select x.lane_id, x.definition_id, x.run_at, x.job_id, {schema}.group_hash(x.job_group),
                {schema}.is_suspect(x.stall_count, x.num_stalls)
            from fate x where x.state = 'scheduled'
        )
        select x.job_id, case x.reason when 'exhausted' then x.reason else x.state end, null::text
        from fate x where x.state <> 'succeeded'
        union all
        select g.job_id, 'lost', null from given g
        where case when true then g.job_id not in (select t.job_id from taken t) end;

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
