-- Gives the outcomes of attempts, and the groups whose slice is done.
--
-- The fence: an outcome counts only if its attempt's `running` row is there to be deleted. Otherwise
-- the job was taken away meanwhile, the outcome is dropped, and the verdict says `lost`.
-- Sending the same outcome twice is safe: the second is lost.
--
-- p_outcomes, each with what p_details means for it:
--   succeeded   the result, as JSON
--   error       an error record, as a JSON object; counts as a try. With tries left the job runs again
--               after its delay, otherwise it has failed for its reason
--   failed      an error record; fails for its reason whatever tries are left
--   cancelled   an error record or null
--   snoozed     runs again after its delay; no try is counted
--   released    goes back to where it stood; no try is counted
--
-- Returns a verdict for each outcome but a plain success: what became of the job (`failed`,
-- `cancelled`, `scheduled`, `queued`, `lost`); and `emptied` for a group with nobody left in line.
-- Locks: the running rows, then the job rows, then groups as release_groups() says.
create or replace function {schema}.settle(
    p_worker_id bigint,
    p_job_ids bigint[],
    p_attempts integer[],
    p_outcomes text[],
    p_reasons text[],
    p_details text[],
    p_delays_secs double precision[],
    p_group_hashes bigint[]
) returns table (id bigint, verdict text)
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    v_mine record;
    v_exhausted bigint[] := '{}';
    v_is_plain boolean;
begin
    if p_job_ids <> '{}' then
        v_is_plain := 'succeeded' = all(p_outcomes);
        with fenced as (
            delete from {schema}.running r
            using unnest(p_job_ids, p_attempts, p_outcomes, p_reasons, p_details, p_delays_secs)
                u(job_id, attempt, outcome, reason, detail, delay_secs)
            where r.job_id = u.job_id and r.attempt = u.attempt and r.worker_id = p_worker_id
            returning r.job_id, r.attempt, r.claimed_at, u.outcome, u.reason, u.detail, u.delay_secs
        )
        select array_agg(f.job_id) as job_ids, array_agg(f.attempt) as attempts,
            array_agg(f.claimed_at) as claimed_ats, array_agg(f.outcome) as outcomes,
            array_agg(f.reason) as reasons, array_agg(f.detail) as details,
            array_agg(f.delay_secs) as delays_secs
        into v_mine from fenced f;

        if coalesce(cardinality(v_mine.job_ids), 0) < cardinality(p_job_ids) then
            return query select u.g, 'lost' from unnest(p_job_ids) u(g)
            where not u.g = any(coalesce(v_mine.job_ids, '{}'));
        end if;

        if not v_is_plain and v_mine.job_ids is not null then
            v_exhausted := {schema}.record_errors(v_mine.job_ids, v_mine.outcomes, v_mine.details);
            perform {schema}.postpone(array_agg(u.job_id), array_agg(u.delay_secs))
            from unnest(v_mine.job_ids, v_mine.outcomes, v_mine.delays_secs) u(job_id, outcome, delay_secs)
            where u.outcome = 'snoozed' or (u.outcome = 'error' and not u.job_id = any(v_exhausted))
            having count(*) > 0;
            perform {schema}.put_back(array_agg(u.job_id))
            from unnest(v_mine.job_ids, v_mine.outcomes) u(job_id, outcome)
            where u.outcome = 'released' having count(*) > 0;
        end if;

        perform {schema}.finalize(
            array_agg(u.job_id),
            array_agg(case u.outcome when 'error' then 'failed' else u.outcome end),
            array_agg(case when u.outcome in ('error', 'failed') then coalesce(u.reason, 'error') end),
            array_agg(case u.outcome when 'succeeded' then u.detail end),
            array_agg(u.attempt), array_agg(u.claimed_at), array_agg(p_worker_id))
        from unnest(v_mine.job_ids, v_mine.attempts, v_mine.claimed_ats, v_mine.outcomes, v_mine.reasons,
            v_mine.details) u(job_id, attempt, claimed_at, outcome, reason, detail)
        where u.outcome in ('succeeded', 'failed', 'cancelled')
            or (u.outcome = 'error' and u.job_id = any(v_exhausted))
        having count(*) > 0;

        if not v_is_plain then
            return query
            select u.job_id, case
                when u.outcome = 'released' then 'queued'
                when u.outcome = 'snoozed' then 'scheduled'
                when u.outcome <> 'error' then u.outcome
                when u.job_id = any(v_exhausted) then 'failed'
                else 'scheduled'
            end
            from unnest(v_mine.job_ids, v_mine.outcomes) u(job_id, outcome)
            where u.outcome <> 'succeeded';
        end if;
    end if;

    if p_group_hashes <> '{}' then
        return query select u.g, 'emptied'
        from unnest({schema}.release_groups(p_worker_id, p_group_hashes)) u(g);
    end if;
end $$;
