-- Ends the leases of seats, and gives each group that still has jobs in line a turn in every lane it stands in.
--
-- First the lease goes, then, in a later statement with a fresh snapshot, comes the look. So no job is
-- forgotten: whoever dropped a turn did so while the lease stood, holding the group's advisory lock
-- which is awaited here; that turn's job was committed before, and this look sees it.
--
-- p_worker_id null ends the lease whoever holds it (rescue). Turns go to the tail, so that groups share
-- fairly; a rescued group goes first, and as a suspect if p_is_suspect says so.
-- Returns the seats whose group nobody stands in line for any more, nor has in hand.
-- Locks: the groups' advisory locks, waiting, in the order of their hashes; then their leases. Which group a
-- seat belongs to never changes, so that is read before.
create or replace function {schema}.release_groups(
    p_worker_id bigint,
    p_seats bigint[],
    p_run_at timestamptz default null,
    p_suspect_hashes bigint[] default '{}'
) returns bigint[]
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
declare
    v_is_limited boolean;
    v_seats bigint[];
    v_released bigint[];
    v_given bigint[];
begin
    perform pg_advisory_xact_lock(x.g)
    from (
        select distinct l.group_hash as g from {schema}.group_lease l where l.seat = any(p_seats) order by 1
    ) x;

    with ended as (
        delete from {schema}.group_lease l
        where l.seat = any(p_seats) and (p_worker_id is null or l.worker_id = p_worker_id)
        returning l.seat, l.group_hash
    )
    select array_agg(e.seat), array_agg(e.group_hash) into v_seats, v_released from ended e;
    if v_released is null then
        return '{}';
    end if;

    with given as (
        insert into {schema}.ready (lane_id, run_at, group_hash, is_suspect)
        select s.lane_id, coalesce(p_run_at, clock_timestamp()), s.group_hash, s.group_hash = any(p_suspect_hashes)
        from {schema}.standing_lanes(array(select distinct u.g from unnest(v_released) u(g))) s
        returning group_hash
    )
    select array_agg(g.group_hash) into v_given from given g;
    v_is_limited := exists (select from {schema}.group_limit m where m.group_hash = any(v_released));
    return array(
        select u.seat from unnest(v_seats, v_released) u(seat, g)
        where u.g not in (select x.g from unnest(v_given) x(g))
            and (not v_is_limited or not exists (
                select from {schema}.group_limit m cross join generate_series(1, m.concurrency) n
                join {schema}.group_lease l on l.seat = {schema}.seat_of(m.group_hash, n)
                where m.group_hash = u.g)));
end $$;
