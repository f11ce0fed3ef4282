-- Takes entries from lanes with limits, as many as these allow. Part of claim().
--
-- A quota is a channel's or a definition's. Its row is locked before anything is counted, so of all claims
-- that want something under it one counts at a time, and what it takes is seen by the next. That is what
-- makes limits exact, and it is paid by limited lanes only.
--
-- At once: a job counts while it is `running`, whatever way it leaves that. Its slot row says only that it
-- belongs to the quota; one without a running row is worth nothing, and is removed here.
-- Within a span: takes are remembered by the moment and forgotten when they are older than the span. Moments
-- are rounded up to a two-hundredth of it, so a span never holds more than its limit, and a busy quota
-- remembers two hundred moments.
--
-- A turn counts as one job, and gets no more (claim() asks for slices of one). What was really claimed is
-- charged afterwards (charge).
--
-- Locks the quotas, waiting, in the order of their ids and before all else that claim() locks.
create or replace function {schema}.take_limited(
    p_lane_ids integer[],
    p_marks timestamptz[],
    p_definition_ids integer[],
    p_limit integer,
    out job_ids bigint[],
    out turns bigint[],
    out turn_lane_ids integer[],
    out is_suspect boolean
)
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
set enable_bitmapscan = off
as $$
declare
    v_quota_ids integer[];
    v_rooms integer[];
    v_lane record;
    v_room integer;
    v_place integer;
    v_num integer := 0;
    v_entry record;
begin
    is_suspect := false;
    v_quota_ids := array(
        select q.id from {schema}.quota q
        where q.id in (
            select r.id from {schema}.lane l
            join {schema}.quota r on r.channel_id = l.channel_id or r.definition_id = l.definition_id
            where l.id = any(p_lane_ids))
        order by q.id for update);
    perform {schema}.recount(v_quota_ids);
    v_rooms := array(
        select case when q.opens_at > clock_timestamp() then 0 else least(
            p_limit,
            q.concurrency - (
                select count(*) from {schema}.slot s
                where s.quota_id = q.id
                    and (select true from {schema}.running r where r.job_id = s.job_id limit 1)),
            q.rate - (
                select coalesce(sum(t.num), 0) from unnest(q.taken_ats, q.taken_counts) t(at, num)
                where t.at > clock_timestamp() - q.rate_secs * interval '1 second')
        ) end
        from unnest(v_quota_ids) with ordinality u(id, place) join {schema}.quota q on q.id = u.id order by u.place);

    for v_lane in
        select u.id, u.mark, array(
            select array_position(v_quota_ids, q.id) from {schema}.quota q
            where q.channel_id = l.channel_id or q.definition_id = l.definition_id) as places
        from unnest(p_lane_ids, p_marks) with ordinality u(id, mark, place)
        join {schema}.lane l on l.id = u.id
        order by u.place
    loop
        v_room := least(p_limit - v_num, (select min(v_rooms[u.place]) from unnest(v_lane.places) u(place)));
        continue when v_room <= 0;
        for v_entry in
            with taken as (
                delete from {schema}.ready r where r.ctid = any(array(
                    select x.ctid from (
                        select y.ctid, y.group_hash from {schema}.ready y
                        where y.lane_id = v_lane.id and y.run_at >= v_lane.mark
                            and (v_num = 0 or not y.is_suspect)
                            and (y.definition_id is null or y.definition_id = any(p_definition_ids))
                        order by y.run_at limit v_room for update skip locked
                    ) x where x.group_hash is null or pg_try_advisory_xact_lock(x.group_hash)))
                returning r.run_at, r.job_id, r.group_hash, r.is_suspect, r.definition_id
            )
            select * from taken t order by t.run_at, t.job_id
        loop
            if v_entry.is_suspect or is_suspect then
                -- A suspect goes alone: it is what this claim takes, or it goes back to its place.
                if v_num > 0 then
                    insert into {schema}.ready (lane_id, definition_id, run_at, job_id, group_hash, is_suspect)
                    values (v_lane.id, v_entry.definition_id, v_entry.run_at, v_entry.job_id, v_entry.group_hash,
                        v_entry.is_suspect);
                    continue;
                end if;
                is_suspect := true;
            end if;
            v_num := v_num + 1;
            if v_entry.job_id is not null then
                job_ids := job_ids || v_entry.job_id;
            else
                turns := turns || v_entry.group_hash;
                turn_lane_ids := turn_lane_ids || v_lane.id;
            end if;
            foreach v_place in array v_lane.places loop
                v_rooms[v_place] := v_rooms[v_place] - 1;
            end loop;
        end loop;
        exit when is_suspect or v_num >= p_limit;
    end loop;
end $$;
