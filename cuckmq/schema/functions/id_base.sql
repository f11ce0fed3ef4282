-- Returns what is added to a sequence to make an id of a job, a worker or an event that none had before.
--
-- A standby knows a sequence only as far as it has heard of it. One that is promoted while it lags gives numbers again
-- that the old primary gave to jobs which were lost with it. Somebody may hold such an id: a handle, which would show
-- another job's result, or a worker, whose late settlement would end another job. But each promotion begins a new
-- timeline of the write-ahead log, and the server knows on which it is. So the timeline is part of each id: those of
-- the n-th begin at (n - 1) * 10^12.
--
-- Where a service does not tell its timeline, sequences alone make the ids. A call takes some 3 microseconds (measured),
-- so it is made once for a statement and not for each job. Names are written out in full: setting a search_path for the
-- call would take as long as the rest of it.
create or replace function {schema}.id_base() returns bigint
language plpgsql stable
as $$
begin
    -- Not from pg_control_checkpoint(), which tells of a promotion only after the next checkpoint.
    return (('x' operator(pg_catalog.||) pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8)
        )::pg_catalog.bit(32)::pg_catalog.int8 operator(pg_catalog.-) 1) operator(pg_catalog.*) 1000000000000;
exception when undefined_function or insufficient_privilege or feature_not_supported then
    return 0;
end $$;
