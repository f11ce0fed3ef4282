-- Tells what stands in a lane: how many jobs may run, and how many not yet, counted up to p_limit in each place;
-- since when the first in line waits, and when the first scheduled job comes due. Locks nothing.
create or replace function {schema}.gauge_lane(p_lane_id integer, p_limit integer)
returns table (num_queued bigint, num_scheduled bigint, oldest_at timestamptz, due_at timestamptz)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
set enable_bitmapscan = off
as $$
begin
    num_queued := {schema}.count_line(p_lane_id, p_limit, p_limit) + (
        select count(*) from (
            select from {schema}.ready r
            where r.lane_id = p_lane_id and r.job_id is not null order by r.run_at limit p_limit
        ) x);
    num_scheduled := (
        select count(*) from (
            select from {schema}.scheduled s
            where s.lane_id = p_lane_id and s.job_id is not null order by s.run_at limit p_limit
        ) x);
    oldest_at := (
        select r.run_at from {schema}.ready r where r.lane_id = p_lane_id order by r.run_at limit 1);
    due_at := (
        select s.run_at from {schema}.scheduled s
        where s.lane_id = p_lane_id and s.job_id is not null order by s.run_at limit 1);
    return next;
end $$;
