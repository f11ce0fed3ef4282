-- One round trip of a worker: gives the outcomes of its last batch and takes its next one, together or
-- not at all. Attempts that succeeded come first, with their results (see finish); all others after them, with
-- the groups whose slice is done (see settle).
--
-- Rows with a verdict answer outcomes (a definition comes as job_group); rows without one are jobs claimed (see
-- claim). With p_limit 0 nothing is claimed. The last row, of verdict `due`, tells in `secs` when the next
-- scheduled entry comes due; it is given when the claim came back short.
--
-- What it promises: a job claimed is `running` for this worker and nobody else, from the moment this commits. How
-- many errors it may have in all is told as num_attempts: with a limit on failures, stalls lower it. One that
-- nobody took in time comes without its payload: it is not to be run, only settled as failed. (Most are found by
-- expire() before; here it is certain.)
--
-- Keys: a job whose key is held until it starts lets go of it here. Tied jobs alone are looked for, all at once;
-- where there are none the index is not touched.
--
-- Plans: jobs are looked up one by one, in a subquery that no join is made of: by statistics of a moment at which a
-- table held dead rows only, it has one row for ever, and walking all of it for each job seems no dearer than to look
-- for one. See claim() as well.
--
-- Locks: as finish(), settle() and claim() say, and then tied jobs' keys. Last the worker's own row, which proves that
-- rescue() has not taken the worker for dead and keeps it from doing so before this commits. Lost, or locked
-- by rescue() at this moment: CQ002, and nothing was settled or claimed. (Waiting here could be a deadlock: rescue()
-- locks the worker first and its jobs then.) The same if this comes late: a worker that lost its connection in the
-- middle of an exchange recalls what it does not know of, and what is claimed after that it would never hear
-- of. p_num_recalls says how many recalls the worker had made when it sent this.
create or replace function {schema}.exchange(
    p_worker_id bigint,
    p_num_recalls integer,
    p_done_ids bigint[],
    p_done_attempts integer[],
    p_results json,
    p_job_ids bigint[],
    p_attempts integer[],
    p_outcomes text[],
    p_reasons text[],
    p_details text[],
    p_delays_secs double precision[],
    p_group_hashes bigint[],
    p_channel_ids integer[],
    p_definition_ids integer[],
    p_limit integer,
    p_slice integer,
    p_marked_lane_ids integer[],
    p_marks timestamptz[]
) returns table (
    verdict text, job_id bigint, attempt integer, definition_id integer, lane_id integer, run_at timestamptz,
    job_group text, group_hash bigint, is_suspect boolean, error_count integer, stall_count integer,
    num_attempts integer, payload text, secs double precision
)
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
set enable_bitmapscan = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    v_done_ids bigint[];
    v_claim record;
begin
    if p_done_ids <> '{}' then
        v_done_ids := {schema}.finish(p_worker_id, p_done_ids, p_done_attempts, p_results);
        if cardinality(v_done_ids) is distinct from cardinality(p_done_ids) then
            return query
            select 'lost', u.id, null::integer, null::integer, null::integer, null::timestamptz, null::text,
                null::bigint, null::boolean, null::integer, null::integer, null::integer, null::text,
                null::double precision
            from unnest(p_done_ids) u(id) where v_done_ids is null or u.id <> all(v_done_ids);
        end if;
        if exists (select from {schema}.dependency d where d.needs_id = any(v_done_ids)) then
            return query
            select 'dependency_' || u.state, u.job_id, null::integer, null::integer, null::integer,
                null::timestamptz, u.definition, null::bigint, null::boolean, null::integer, null::integer,
                null::integer, null::text, null::double precision
            from {schema}.unblock(array(
                select distinct d.job_id from {schema}.dependency d where d.needs_id = any(v_done_ids))) u;
        end if;
    end if;
    if p_job_ids <> '{}' or p_group_hashes <> '{}' then
        return query
        select s.verdict, s.id, null::integer, null::integer, null::integer, null::timestamptz, s.definition,
            null::bigint, null::boolean, null::integer, null::integer, null::integer, null::text,
            null::double precision
        from {schema}.settle(p_worker_id, p_job_ids, p_attempts, p_outcomes, p_reasons, p_details,
            p_delays_secs, p_group_hashes) s;
    end if;
    if p_limit = 0 then
        return;
    end if;

    v_claim := {schema}.claim(p_worker_id, p_channel_ids, p_definition_ids, p_limit, p_slice,
        p_marked_lane_ids, p_marks);
    if v_claim.job_ids is not null then
        return query
        with claimed as materialized (
            select u.place, u.seat, j.id, j.definition_id, j.lane_id, j.run_at, j.job_group,
                j.error_count, j.stall_count, j.is_tied, j.keep_succeeded_secs,
                least(j.num_attempts, j.num_failures - j.stall_count) as num_attempts,
                case when j.expires_at <= clock_timestamp() then null else j.payload end as payload,
                j.error_count + j.stall_count + j.return_count + 1 as attempt
            from unnest(v_claim.job_ids, v_claim.seats) with ordinality u(id, seat, place)
            cross join lateral (select x.* from {schema}.job x where x.id = u.id offset 0) j
        ), started as (
            insert into {schema}.running (
                job_id, definition_id, lane_id, worker_id, attempt, group_hash, is_tied, keep_succeeded_secs,
                claimed_at)
            select c.id, c.definition_id, c.lane_id, p_worker_id, c.attempt, c.seat, c.is_tied, c.keep_succeeded_secs,
                v_claim.claimed_at
            from claimed c
        ), let_go as (
            update {schema}.unique_key k set is_held = false
            where k.job_id = any(array(select c.id from claimed c where c.is_tied))
                and case when k.is_held then k.scope = 'queued' end  -- or all keys held may be walked
        )
        select null::text, c.id, c.attempt, c.definition_id, c.lane_id, c.run_at, c.job_group, c.seat,
            v_claim.is_suspect, c.error_count, c.stall_count, c.num_attempts, c.payload::text, null::double precision
        from claimed c order by c.place;

        perform 1 from {schema}.worker w
        where w.id = p_worker_id and not w.is_lost and w.num_recalls = p_num_recalls for key share skip locked;
        if not found then
            raise exception 'worker % was taken for dead, or has recalled its jobs', p_worker_id
            using errcode = 'CQ002';
        end if;
    end if;
    if coalesce(cardinality(v_claim.job_ids), 0) < p_limit then
        verdict := 'due';
        secs := v_claim.due_secs;
        return next;
    end if;
end $$;
