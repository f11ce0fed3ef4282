-- The lanes in which each group still has jobs in line.
--
-- Steps from lane to lane through the index, so a line of 200,000 costs as little as a line of two.
create or replace function {schema}.standing_lanes(p_group_hashes bigint[])
returns table (group_hash bigint, lane_id integer)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
set enable_bitmapscan = off
as $$
#variable_conflict use_column
begin
    return query
    with recursive standing(group_hash, lane_id) as (
        select u.g, (select min(w.lane_id) from {schema}.waiting w where w.group_hash = u.g)
        from unnest(p_group_hashes) u(g)
        union all
        select s.group_hash, (
            select min(w.lane_id) from {schema}.waiting w
            where w.group_hash = s.group_hash and w.lane_id > s.lane_id)
        from standing s where s.lane_id is not null
    )
    select s.group_hash, s.lane_id from standing s where s.lane_id is not null;
end $$;
