-- Names jobs of these channels that a worker passes over because it does not know their definitions.
--
-- What nobody claims sinks to the head of its lane, so the first p_depth entries of each lane are looked
-- at and no more; of groups, the turns that were put off.
create or replace function {schema}.find_orphans(
    p_channel_ids integer[], p_definition_ids integer[], p_depth integer default 1000
) returns table (job_id bigint, definition text, channel text)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
set enable_bitmapscan = off
as $$
#variable_conflict use_column
begin
    return query
    select o.job_id, d.name, c.name
    from {schema}.lane l
    join {schema}.channel c on c.id = l.channel_id
    cross join lateral (
        select r.job_id, r.definition_id from (
            select x.job_id, x.definition_id from {schema}.ready x
            where x.lane_id = l.id order by x.run_at limit p_depth
        ) r where r.job_id is not null
        union all
        select w.job_id, w.definition_id
        from (
            select x.group_hash from {schema}.scheduled x
            where x.lane_id = l.id and x.job_id is null order by x.run_at limit p_depth
        ) turn cross join lateral (
            select y.job_id, y.definition_id from {schema}.waiting y
            where y.group_hash = turn.group_hash and y.lane_id = l.id order by y.job_id limit 1
        ) w
    ) o
    join {schema}.job_definition d on d.id = o.definition_id
    where (p_channel_ids is null or l.channel_id = any(p_channel_ids))
        and not o.definition_id = any(p_definition_ids);
end $$;
