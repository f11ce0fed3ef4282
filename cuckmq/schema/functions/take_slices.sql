-- Serves group turns that a claim has taken: wins the leases it can, and takes the first p_slice jobs
-- of each line won, in the order of the lanes given. Part of claim(), which holds the advisory lock of
-- every group given here. Returns the jobs, each with the seat that was won for it: its group's hash, or
-- for a group that several may serve at once, the first of its seats that was free.
--
-- A group that has turns in several lanes is served in all of them: one that gives nothing to this
-- worker must not stand before another for ever.
--
-- Why these are separate statements: a turn whose group is leased is dropped, and the job it stood for
-- is seen by whoever ends that lease, because the lease goes first and the look comes after (see
-- release_groups). For the same reason the line is read only after the lease is won: with a snapshot
-- taken before, a job that arrived together with the dropped turn of another would be overlooked.
--
-- A line that gives nothing (it holds only names this worker does not know, or a job that someone is
-- cancelling at this moment) must not be tried again at once: its lease goes, and its turn is put off.
-- Only the turns that were taken: in other lanes the group has its turns as before.
create or replace function {schema}.take_slices(
    p_worker_id bigint,
    p_group_hashes bigint[],
    p_lane_ids integer[],
    p_definition_ids integer[],
    p_slice integer,
    p_is_suspect boolean,
    out job_ids bigint[],
    out seats bigint[]
)
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
set enable_bitmapscan = off
as $$
declare
    v_is_limited boolean := exists (
        select from {schema}.group_limit g where g.group_hash = any(p_group_hashes));
    v_seats bigint[];
    v_won bigint[];
    v_empty bigint[];
begin
    with asked as (
        select distinct u.group_hash from unnest(p_group_hashes) u(group_hash)
    ), lease as (
        insert into {schema}.group_lease (seat, group_hash, worker_id)
        select coalesce(free.seat, a.group_hash), a.group_hash, p_worker_id
        from asked a left join lateral (
            select {schema}.seat_of(g.group_hash, n) as seat
            from {schema}.group_limit g cross join generate_series(1, g.concurrency) n
            where v_is_limited and g.group_hash = a.group_hash and not exists (
                select from {schema}.group_lease l where l.seat = {schema}.seat_of(g.group_hash, n))
            order by n limit 1
        ) free on true
        order by 1
        on conflict do nothing returning seat, group_hash
    )
    select array_agg(l.seat), array_agg(l.group_hash) into v_seats, v_won from lease l;
    if v_won is null then
        return;
    end if;

    with line as (
        delete from {schema}.waiting w where w.ctid = any(array(
            select y.ctid from (
                select u.group_hash, u.lane_id from unnest(p_group_hashes, p_lane_ids) u(group_hash, lane_id)
                group by u.group_hash, u.lane_id
                having u.group_hash in (select x.group_hash from unnest(v_won) x(group_hash))
            ) turn cross join lateral (
                select z.ctid from {schema}.waiting z
                where z.group_hash = turn.group_hash and z.lane_id = turn.lane_id
                    and z.definition_id = any(p_definition_ids)
                order by z.job_id limit p_slice for update skip locked
            ) y))
        returning w.job_id, w.group_hash, array_position(p_lane_ids, w.lane_id) as place
    ), seated as (
        select l.job_id, l.place,
            case when v_is_limited then v_seats[array_position(v_won, l.group_hash)] else l.group_hash end as seat
        from line l
    )
    select array_agg(s.job_id order by s.place, s.job_id), array_agg(s.seat order by s.place, s.job_id)
    into job_ids, seats from seated s;

    v_empty := array(select u.seat from unnest(v_seats) u(seat) except select u.seat from unnest(seats) u(seat));
    if v_empty <> '{}' then
        with ended as (
            delete from {schema}.group_lease l where l.seat = any(v_empty) returning l.group_hash
        )
        select array_agg(e.group_hash) into v_empty from ended e;
        insert into {schema}.scheduled (lane_id, run_at, group_hash, is_suspect)
        select s.lane_id, clock_timestamp() + interval '1 second', s.group_hash, p_is_suspect
        from {schema}.standing_lanes(v_empty) s
        where (s.group_hash, s.lane_id) in (
            select u.group_hash, u.lane_id from unnest(p_group_hashes, p_lane_ids) u(group_hash, lane_id));
    end if;

    -- A group with more seats wants to be found by others, too, before this slice is done.
    if v_is_limited then
        insert into {schema}.ready (lane_id, run_at, group_hash)
        select s.lane_id, clock_timestamp(), s.group_hash
        from {schema}.standing_lanes(array(
            select g.group_hash from {schema}.group_limit g
            where g.group_hash = any(v_won) and not g.group_hash = any(v_empty))) s;
    end if;
end $$;
