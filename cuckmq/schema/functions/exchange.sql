-- One round trip of a worker: gives the outcomes of its last batch and takes its next one, together or
-- not at all. Attempts that succeeded come first, with their results (see finish); all others after them, with
-- the groups whose slice is done (see settle).
--
-- Rows with a verdict answer outcomes (a definition comes as job_group); rows without one are jobs claimed (see
-- claim). With p_limit 0 nothing is claimed. The last row, of verdict `due`, tells in `secs` when the next
-- scheduled entry comes due; it is given when the claim came back short.
--
-- A worker that lost its connection in the middle of this, and has recalled meanwhile what it does not
-- know of (recall), will never hear the answer: CQ002, and nothing was settled or claimed.
create or replace function {schema}.exchange(
    p_worker_id bigint,
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
    v_num_claimed bigint;
    v_num_recalls integer := (select w.num_recalls from {schema}.worker w where w.id = p_worker_id);
begin
    if p_done_ids <> '{}' then
        return query
        select f.verdict, f.id, null::integer, null::integer, null::integer, null::timestamptz, f.definition,
            null::bigint, null::boolean, null::integer, null::integer, null::integer, null::text,
            null::double precision
        from {schema}.finish(p_worker_id, p_done_ids, p_done_attempts, p_results) f;
    end if;
    if p_job_ids <> '{}' or p_group_hashes <> '{}' then
        return query
        select s.verdict, s.id, null::integer, null::integer, null::integer, null::timestamptz, s.definition,
            null::bigint, null::boolean, null::integer, null::integer, null::integer, null::text,
            null::double precision
        from {schema}.settle(p_worker_id, p_job_ids, p_attempts, p_outcomes, p_reasons, p_details,
            p_delays_secs, p_group_hashes) s;
    end if;
    if p_limit > 0 then
        return query
        select null::text, c.*, null::double precision
        from {schema}.claim(p_worker_id, p_channel_ids, p_definition_ids, p_limit, p_slice,
            p_marked_lane_ids, p_marks) c;
        get diagnostics v_num_claimed = row_count;
        -- The claim holds the worker's row by now, and a recall would wait for it.
        if v_num_claimed > 0 and v_num_recalls is distinct from (
            select w.num_recalls from {schema}.worker w where w.id = p_worker_id)
        then
            raise exception 'worker % recalled its jobs meanwhile', p_worker_id using errcode = 'CQ002';
        end if;
        if v_num_claimed < p_limit then
            verdict := 'due';
            secs := {schema}.secs_until_due(p_channel_ids);
            return next;
        end if;
    end if;
end $$;
