-- Adds what a worker has counted to the current minute's statistics, by channel and definition.
--
-- p_tallies is a JSON array of objects with lane_id, definition_id, counts by outcome, and for run and wait the
-- sum in seconds and the histogram. Lanes and definitions that are gone are left out. Returns the time by the
-- database's clock, from which the worker tells how far its own is off.
-- Locks the rows that it adds to, in the order of their keys, so that two who add never deadlock.
create or replace function {schema}.record_stats(p_tallies json) returns timestamptz
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_minute_at timestamptz := date_trunc('minute', clock_timestamp());
    v_row record;
begin
    for v_row in
        select l.channel_id, t.* from json_to_recordset(p_tallies) t(
            lane_id integer, definition_id integer, num_succeeded bigint, num_failed bigint, num_cancelled bigint,
            num_errors bigint, num_snoozed bigint, num_lost bigint, run_secs double precision,
            wait_secs double precision, run_histogram bigint[], wait_histogram bigint[])
        join {schema}.lane l on l.id = t.lane_id
        join {schema}.job_definition d on d.id = t.definition_id
        order by l.channel_id, t.definition_id, t.lane_id
    loop
        insert into {schema}.stat as s (minute_at, channel_id, definition_id, num_succeeded, num_failed,
            num_cancelled, num_errors, num_snoozed, num_lost, run_secs, wait_secs, run_histogram, wait_histogram)
        values (v_minute_at, v_row.channel_id, v_row.definition_id, v_row.num_succeeded, v_row.num_failed,
            v_row.num_cancelled, v_row.num_errors, v_row.num_snoozed, v_row.num_lost, v_row.run_secs,
            v_row.wait_secs, v_row.run_histogram, v_row.wait_histogram)
        on conflict (minute_at, channel_id, definition_id) do update set
            num_succeeded = s.num_succeeded + excluded.num_succeeded,
            num_failed = s.num_failed + excluded.num_failed,
            num_cancelled = s.num_cancelled + excluded.num_cancelled,
            num_errors = s.num_errors + excluded.num_errors,
            num_snoozed = s.num_snoozed + excluded.num_snoozed,
            num_lost = s.num_lost + excluded.num_lost,
            run_secs = s.run_secs + excluded.run_secs,
            wait_secs = s.wait_secs + excluded.wait_secs,
            run_histogram = {schema}.add_histograms(s.run_histogram, excluded.run_histogram),
            wait_histogram = {schema}.add_histograms(s.wait_histogram, excluded.wait_histogram);
    end loop;
    return clock_timestamp();
end $$;
