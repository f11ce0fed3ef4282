-- Seconds until the next entry of these channels comes due, or a limit that holds entries back lets one
-- through; null when there is nothing to wait for. Paused channels do not count.
--
-- A worker that found nothing sleeps no longer than this.
create or replace function {schema}.secs_until_due(p_channel_ids integer[]) returns double precision
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
set enable_bitmapscan = off
as $$
begin
    return (
        select extract(epoch from min(first.at) - clock_timestamp())::double precision
        from {schema}.lane l cross join lateral (
            (select s.run_at from {schema}.scheduled s where s.lane_id = l.id order by s.run_at limit 1)
            union all
            select q.opens_at from {schema}.quota q
            where l.is_limited and (q.channel_id = l.channel_id or q.definition_id = l.definition_id)
                and q.opens_at > clock_timestamp()
                and exists (select from {schema}.ready r where r.lane_id = l.id)
        ) first(at)
        where (p_channel_ids is null or l.channel_id = any(p_channel_ids)) and not l.is_paused);
end $$;
