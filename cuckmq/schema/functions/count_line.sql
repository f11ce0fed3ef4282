-- Counts the jobs that stand in the lines of groups in a lane: up to p_limit of them, in the lines to which the
-- first p_depth entries of the lane lead; null for all entries.
--
-- No index leads from a lane to its lines. But who has a line there has a turn there, or is being served, so
-- this goes from the turns to the lines, and costs what stands in this lane and not what stands in others.
create or replace function {schema}.count_line(
    p_lane_id integer, p_limit integer, p_depth integer default null
) returns integer
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
set enable_bitmapscan = off
as $$
begin
    return (
        select count(*) from (
            select from (
                select r.group_hash from (
                    select y.group_hash from {schema}.ready y
                    where y.lane_id = p_lane_id order by y.run_at limit p_depth
                ) r where r.group_hash is not null
                union
                select s.group_hash from (
                    select y.group_hash, y.job_id from {schema}.scheduled y
                    where y.lane_id = p_lane_id order by y.run_at limit p_depth
                ) s where s.group_hash is not null and s.job_id is null
                union
                select l.group_hash from {schema}.group_lease l
            ) g cross join lateral (
                select w.job_id from {schema}.waiting w
                where w.group_hash = g.group_hash and w.lane_id = p_lane_id limit p_limit
            ) w limit p_limit
        ) x);
end $$;
