-- Tells a worker how many live, itself included, and what of the upkeep that all share is due.
--
-- Each worker asks it with its beat, so that none need rescue or sweep for the mere chance of something:
-- a glance at the small table of workers, at one end of an index, and whether a table is empty. It may
-- say that something is due where there is nothing to do; what it overlooks (a group that is held too long)
-- is found when rescue() and expire() are called anyway, now and then. A beat that lies ahead of the clock is
-- for rescue() to put right.
create or replace function {schema}.look_around(p_beat_secs double precision)
returns table (num_workers integer, is_rescue_due boolean, is_sweep_due boolean)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
set enable_bitmapscan = off
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_up_since timestamptz := case when pg_postmaster_start_time() <= v_now then pg_postmaster_start_time() end;
begin
    select count(*) filter (where not s.is_lost and s.silent_secs <= s.lease_secs),
        coalesce(bool_or(s.is_lost or s.silent_secs not between 0 and least(s.lease_secs, 2 * p_beat_secs)), false)
    into num_workers, is_rescue_due
    from (
        select w.is_lost, w.lease_secs,
            extract(epoch from v_now - greatest(w.heartbeat_at, v_up_since)) as silent_secs
        from {schema}.worker w
    ) s;
    is_sweep_due := exists (select from {schema}.job j where j.expires_at <= v_now)
        or exists (select from {schema}.blocked);
    return next;
end $$;
