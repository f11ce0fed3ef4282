-- Ends leases, and gives each group that still has jobs in line a turn in every lane it stands in.
--
-- First the lease goes, then, in a later statement with a fresh snapshot, comes the look. So no job is
-- forgotten: whoever dropped a turn did so while the lease stood, holding the group's advisory lock
-- which is awaited here; that turn's job was committed before, and this look sees it.
--
-- p_worker_id null ends the lease whoever holds it (rescue). Turns go to the tail, so that groups share
-- fairly; a rescued group goes first, and as a suspect if p_is_suspect says so.
-- Returns the groups that nobody stands in line for any more.
-- Locks: the groups' advisory locks, waiting, in the order of their hashes; then their leases.
create or replace function {schema}.release_groups(
    p_worker_id bigint,
    p_group_hashes bigint[],
    p_run_at timestamptz default null,
    p_suspect_hashes bigint[] default '{}'
) returns bigint[]
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
declare
    v_released bigint[];
    v_given bigint[];
begin
    perform pg_advisory_xact_lock(x.g)
    from (select distinct u.g from unnest(p_group_hashes) u(g) order by u.g) x;

    with ended as (
        delete from {schema}.group_lease l
        where l.group_hash = any(p_group_hashes) and (p_worker_id is null or l.worker_id = p_worker_id)
        returning l.group_hash
    )
    select array_agg(e.group_hash) into v_released from ended e;
    if v_released is null then
        return '{}';
    end if;

    with given as (
        insert into {schema}.ready (lane_id, run_at, group_hash, is_suspect)
        select s.lane_id, coalesce(p_run_at, clock_timestamp()), s.group_hash, s.group_hash = any(p_suspect_hashes)
        from {schema}.standing_lanes(v_released) s
        returning group_hash
    )
    select array_agg(g.group_hash) into v_given from given g;
    return array(select u.g from unnest(v_released) u(g) except select u.g from unnest(v_given) u(g));
end $$;
