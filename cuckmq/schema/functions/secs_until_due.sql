-- Seconds until the next entry of these channels comes due, or null when none is scheduled.
--
-- A worker that found nothing sleeps no longer than this.
create or replace function {schema}.secs_until_due(p_channel_ids integer[]) returns double precision
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_bitmapscan = off
as $$
begin
    return (
        select extract(epoch from min(first.run_at) - clock_timestamp())::double precision
        from {schema}.lane l cross join lateral (
            select s.run_at from {schema}.scheduled s where s.lane_id = l.id order by s.run_at limit 1
        ) first
        where p_channel_ids is null or l.channel_id = any(p_channel_ids));
end $$;
