-- Deletes statistics older than p_older_than_secs, and what is known of workers lost before then.
create or replace function {schema}.purge_stats(p_older_than_secs double precision) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_before timestamptz := clock_timestamp() - p_older_than_secs * interval '1 second';
begin
    delete from {schema}.stat s where s.minute_at < v_before;
    delete from {schema}.worker_loss l where l.lost_at < v_before;
end $$;
