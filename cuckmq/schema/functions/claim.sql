-- Takes up to p_limit entries that may run now, for this worker, and tells which jobs are behind them, in their order;
-- of each job of a group the seat that was won for it; and whether it is a suspect. Part of exchange(), which
-- starts them, and proves that the worker is alive. With a p_slice over 1 there may be a few jobs more: the last slice is
-- as long as the others.
--
-- Jobs of one group are never taken for two workers. Lanes are walked by priority, then in no fixed order,
-- so that no channel starves another; within a lane, by run_at.
--
-- Where fewer jobs were found than asked for, due_secs tells how soon the next entry comes due, or a limit that holds
-- entries back lets one through; null when there is nothing to wait for. Paused channels do not count. A worker
-- that found nothing sleeps no longer than this.
--
-- Limits: what may not be taken now is a lane that is not walked. A paused one is left out; one with limits is
-- served by take_limited(), before anything else, as far as they allow. Lanes without limits pay a look at
-- their row, which is read anyway.
--
-- Marks: p_marks tells, lane by lane, where the worker's earlier claims have come to. The walk starts
-- there and not at the head of the index, where a snapshot held anywhere in the database lets dead
-- entries pile up. What appears behind a mark is found by a claim without marks, which the worker
-- sends now and then, and always when a claim came back short.
--
-- Groups: a turn is passed over while someone is at that group (its advisory lock is taken; the lock
-- saves waiting, the lease decides). Turns hold their lock to the end of the transaction, so p_limit
-- bounds what one claim asks of the server's lock table.
--
-- Slices: a turn weighs as many jobs as it will give, up to a share of the limit that leaves every lane of the
-- worker a turn, and sixteen at least. So where lines are long a claim takes few turns and much of each, and
-- where each group has one job it takes as many turns as it may take jobs. What is counted here is only reckoned with;
-- take_slices() looks for itself.
--
-- Suspects: a job that stalled before is claimed with nothing beside it, so that if it takes its
-- worker down again, it takes no others with it.
--
-- Plans: made on small tables and kept, or on large ones without statistics, they must walk the index in
-- its order. A bitmap scan looked cheaper to the planner, and sorted a million rows to give a hundred. What the
-- planner may do is said by exchange(), here and in all other parts of it.
--
-- Locks, in this order: the quotas of limited lanes (waiting); then, never waiting: due entries, ready
-- entries, groups (advisory), leases, lines.
create or replace function {schema}.claim(
    p_worker_id bigint,
    p_channel_ids integer[],
    p_definition_ids integer[],
    p_limit integer,
    p_slice integer,
    p_marked_lane_ids integer[],
    p_marks timestamptz[],
    out job_ids bigint[],
    out seats bigint[],
    out is_suspect boolean,
    out claimed_at timestamptz,
    out due_secs double precision
)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_lane_ids integer[];
    v_marks timestamptz[];
    v_limited_lane_ids integer[];
    v_limited_marks timestamptz[];
    v_limited record;
    v_limit integer := p_limit;
    v_stint integer := 1;
    v_is_limited boolean := false;
    v_now timestamptz := clock_timestamp();
    v_next_at timestamptz;
    v_has_due boolean;
    v_has_suspect boolean;
    v_promoted timestamptz;
    v_turns bigint[];
    v_turn_lane_ids integer[];
    v_slices record;
begin
    select array_agg(x.id) filter (where not x.is_limited), array_agg(x.mark) filter (where not x.is_limited),
        array_agg(x.id) filter (where x.is_limited), array_agg(x.mark) filter (where x.is_limited),
        min(x.next_at), bool_or(x.has_suspect and not x.is_limited)
    into v_lane_ids, v_marks, v_limited_lane_ids, v_limited_marks, v_next_at, v_has_suspect
    from (
        select l.id, coalesce(m.mark, '-infinity') as mark, l.is_limited,
            (select s.run_at from {schema}.scheduled s where s.lane_id = l.id order by s.run_at limit 1) as next_at,
            exists (select from {schema}.ready r where r.lane_id = l.id and r.is_suspect) as has_suspect
        from {schema}.lane l
        left join unnest(p_marked_lane_ids, p_marks) m(lane_id, mark) on m.lane_id = l.id
        where (p_channel_ids is null or l.channel_id = any(p_channel_ids)) and not l.is_paused
        order by l.priority desc, random()
    ) x;
    v_has_due := v_next_at <= v_now;
    is_suspect := false;

    -- A suspect of a lane without limits must not wait for a moment in which the others give nothing.
    if v_limited_lane_ids is not null and v_has_suspect is not true then
        v_promoted := {schema}.promote(v_limited_lane_ids, p_limit);
        v_limited := {schema}.take_limited(v_limited_lane_ids,
            array(select least(u.mark, v_promoted) from unnest(v_limited_marks) u(mark)), p_definition_ids, p_limit);
        job_ids := v_limited.job_ids;
        v_turns := v_limited.turns;
        v_turn_lane_ids := v_limited.turn_lane_ids;
        is_suspect := v_limited.is_suspect;
        v_limit := p_limit - coalesce(cardinality(job_ids), 0) - coalesce(cardinality(v_turns), 0);
        v_is_limited := v_limit < p_limit;
    end if;

    if v_has_due then
        v_promoted := {schema}.promote(v_lane_ids, p_limit);
        v_has_suspect := true;  -- It may be among them.
    end if;

    if not v_is_limited and v_has_suspect then
        with taken as (
            delete from {schema}.ready r where r.ctid = any(array(
                select x.ctid from unnest(v_lane_ids) lane(id) cross join lateral (
                    select y.ctid, y.group_hash from {schema}.ready y
                    where y.lane_id = lane.id and y.is_suspect
                        and (y.definition_id is null or y.definition_id = any(p_definition_ids))
                    order by y.run_at limit 1 for update skip locked
                ) x
                where x.group_hash is null or pg_try_advisory_xact_lock(x.group_hash)
                limit 1))
            returning r.lane_id, r.job_id, r.group_hash
        )
        select array_agg(t.job_id) filter (where t.job_id is not null),
            array_agg(t.group_hash) filter (where t.job_id is null), array_agg(t.lane_id), count(*) > 0
        into job_ids, v_turns, v_turn_lane_ids, is_suspect
        from taken t;
    end if;

    if not is_suspect and v_limit > 0 then
        if p_slice > 1 then
            v_stint := greatest(1, least(p_slice, p_limit / (
                select greatest(w.concurrency, 16) from {schema}.worker w where w.id = p_worker_id)));
        end if;
        with taken as (
            delete from {schema}.ready r where r.ctid = any(array(
                select x.ctid from (
                    select y.ctid, y.group_hash, stint.n
                    from unnest(v_lane_ids, v_marks) lane(id, mark) cross join lateral (
                        select z.ctid, z.group_hash from {schema}.ready z
                        where z.lane_id = lane.id and z.run_at >= least(lane.mark, v_promoted)
                            and not z.is_suspect
                            and (z.definition_id is null or z.definition_id = any(p_definition_ids))
                        order by z.run_at limit v_limit for update skip locked
                    ) y left join lateral (
                        select row_number() over () as n from {schema}.waiting w
                        where y.group_hash is not null and w.group_hash = y.group_hash and w.lane_id = lane.id
                        limit v_stint
                    ) stint on true
                    limit v_limit
                ) x where case when x.group_hash is null then true
                    when x.n > 1 then false else pg_try_advisory_xact_lock(x.group_hash) end))
            returning r.lane_id, r.run_at, r.job_id, r.group_hash
        ), placed as (
            select t.* from taken t order by array_position(v_lane_ids, t.lane_id), t.run_at, t.job_id
        )
        select job_ids || array_agg(p.job_id) filter (where p.job_id is not null),
            v_turns || array_agg(p.group_hash) filter (where p.job_id is null),
            v_turn_lane_ids || array_agg(p.lane_id) filter (where p.job_id is null)
        into job_ids, v_turns, v_turn_lane_ids
        from placed p;
    end if;

    if v_turns is not null then
        v_slices := {schema}.take_slices(p_worker_id, v_turns, v_turn_lane_ids, p_definition_ids,
            case when is_suspect or v_is_limited then 1
                 else greatest(v_stint, least(p_slice, ceil(
                    (p_limit - coalesce(cardinality(job_ids), 0))::numeric / cardinality(v_turns))::integer)) end,
            is_suspect);
        seats := array_fill(null::bigint, array[coalesce(cardinality(job_ids), 0)])
            || v_slices.seats;
        job_ids := job_ids || v_slices.job_ids;
    end if;
    claimed_at := clock_timestamp();  -- not after they are charged, or a span may seem to have had more than its rate
    if v_is_limited then
        perform {schema}.charge(job_ids);
    end if;
    if coalesce(cardinality(job_ids), 0) < p_limit then
        due_secs := case when v_has_due or v_limited_lane_ids is not null then {schema}.secs_until_due(p_channel_ids)
            else extract(epoch from v_next_at - clock_timestamp()) end;
    end if;
end $$;
