-- Returns what is added to a sequence to make an id of a job or a worker that none had before.
--
-- A standby knows a sequence only as far as it has heard of it. One that is promoted while it lags gives numbers again
-- that the old primary gave to jobs which were lost with it. Somebody may hold such an id: a handle, which would show
-- another job's result, or a worker, whose late settlement would end another job. But each promotion begins a new
-- timeline of the write-ahead log, and the server knows on which it is. So the timeline is part of each id: those of
-- the n-th begin at (n - 1) * 10^12.
--
-- Where a service does not tell its timeline, sequences alone make the ids. A call takes some 3 microseconds (measured),
-- so it is made once for a statement and not for each job.
create or replace function {schema}.id_base() returns bigint
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    -- Not from pg_control_checkpoint(), which tells of a promotion only after the next checkpoint.
    return (('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint - 1) * 1000000000000;
exception when undefined_function or insufficient_privilege or feature_not_supported then
    return 0;
end $$;
