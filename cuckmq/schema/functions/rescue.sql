-- Finds workers that are dead, and groups held beyond their ceiling, and puts their jobs back.
--
-- A worker is dead when its lease has run out; or, if it held its lock (hold_worker), when that lock
-- is gone and two beats were missed as well. The clock starts anew when the server does, since nobody
-- could beat while it was down. A beat or a start that lies ahead of the clock was written before the clock
-- was put back, nobody knows how long ago: such a beat counts as one of this moment, once, and such a start
-- does not count. That is final: what the worker still sends changes nothing, and
-- its next beat tells it so.
-- A group held longer than p_job_group_unlock_secs loses its lease and its running job, though its
-- worker lives: the user's ceiling for jobs that never come back.
--
-- A job taken away has stalled. It goes back to where it stood, or fails as `stalled` when it has
-- survived as many lost workers as it may, and as `exhausted` when errors and stalls come to as many as it
-- may have in all; if a cancellation was asked of it, it is cancelled.
--
-- Returns a row for each job taken away, and one, without a job but with its name, for each worker that was
-- not taken for dead before.
--
-- It waits for nobody (unblock() for half a second at most), so that no hung transaction anywhere can hold up
-- the rescue of all others. What
-- someone has in hand at this moment (an attempt inside an open transaction, a job being cancelled, a
-- group being claimed or released) is left to the next rescue; until then the row of a dead worker
-- stays, marked as lost.
--
-- One rescuer at a time, the others return at once. Locks, all without waiting: dead workers' rows
-- (skipping one that is claiming), groups (advisory), running rows, jobs. Leases are read only after
-- their group's lock is held: one that changed hands meanwhile is not taken from its new holder.
create or replace function {schema}.rescue(
    p_job_group_unlock_secs double precision default 10800,
    p_beat_secs double precision default 2.5
) returns table (
    job_id bigint, verdict text, worker_id bigint, definition text, reason text, name text)
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_now timestamptz := clock_timestamp();
    v_up_since timestamptz := case when pg_postmaster_start_time() <= v_now then pg_postmaster_start_time() end;
    v_overdue_before timestamptz := v_now - p_job_group_unlock_secs * interval '1 second';
    v_dead bigint[];
    v_groups bigint[];
    v_job_ids bigint[];
    v_taken record;
    v_lost bigint[];
    v_exhausted bigint[];
    v_suspects bigint[];
    v_newly bigint[];
    v_names jsonb;
begin
    if not pg_try_advisory_xact_lock(hashtextextended('{schema_name}:rescue', 0)) then
        return;
    end if;

    -- Who lives corrects it with his next beat; for who is dead it is done here.
    update {schema}.worker w set heartbeat_at = v_now where w.id in (
        select b.id from {schema}.worker b where b.heartbeat_at > v_now order by b.id for update skip locked);
    with silent as materialized (
        select w.id, w.is_lost, w.is_lock_held,
            clock_timestamp() - greatest(w.heartbeat_at, v_up_since)
                > w.lease_secs * interval '1 second' as is_expired
        from {schema}.worker w
        where w.is_lost or clock_timestamp() - greatest(w.heartbeat_at, v_up_since)
            > least(w.lease_secs, 2 * p_beat_secs) * interval '1 second'
        order by w.id for update skip locked
    )
    select coalesce(array_agg(s.id), '{}') into v_dead from silent s
    where s.is_lost or s.is_expired
        or case when s.is_lock_held then pg_try_advisory_xact_lock({schema}.worker_lock(s.id)) else false end;
    with held as materialized (
        select distinct l.group_hash from {schema}.group_lease l
        where l.worker_id = any(v_dead) or l.acquired_at < v_overdue_before
    )
    select coalesce(array_agg(h.group_hash), '{}') into v_groups
    from held h where pg_try_advisory_xact_lock(h.group_hash);
    if v_dead = '{}' and v_groups = '{}' then
        return;
    end if;
    v_newly := array(select {schema}.mark_lost(v_dead));

    v_job_ids := array(
        select r.job_id from {schema}.running r
        where r.worker_id = any(v_dead) or r.group_hash in (
            select l.seat from {schema}.group_lease l
            where l.group_hash = any(v_groups) and l.acquired_at < v_overdue_before)
        for update of r skip locked);
    v_job_ids := array(
        select j.id from {schema}.job j where j.id = any(v_job_ids) for update skip locked);
    with taken as (
        delete from {schema}.running r where r.job_id = any(v_job_ids)
        returning r.job_id, r.attempt, r.worker_id, r.claimed_at, exists (
            select from {schema}.cancellation c
            where c.job_id = r.job_id and c.attempt = r.attempt) as is_cancel_requested
    )
    select array_agg(t.job_id) as job_ids, array_agg(t.attempt) as attempts,
        array_agg(t.worker_id) as worker_ids, array_agg(t.claimed_at) as claimed_ats,
        coalesce(array_agg(t.job_id) filter (where t.is_cancel_requested), '{}') as cancelled
    into v_taken from taken t;

    -- Told now, for a job that ends here may leave nothing behind.
    select jsonb_object_agg(j.id, d.name) into v_names
    from {schema}.job j join {schema}.job_definition d on d.id = j.definition_id where j.id = any(v_job_ids);

    with stalled as (
        update {schema}.job j set stall_count = j.stall_count + 1, expires_at = null where j.id = any(v_job_ids)
        returning j.id, j.job_group, j.stall_count, j.num_stalls,
            j.stall_count > j.num_stalls as is_lost,
            j.error_count + j.stall_count >= j.num_failures as is_exhausted
    )
    select array_agg(s.id) filter (where s.is_lost),
        array_agg(s.id) filter (where s.is_exhausted and not s.is_lost),
        array_agg({schema}.group_hash(s.job_group)) filter (
            where s.job_group is not null and {schema}.is_suspect(s.stall_count, s.num_stalls))
    into v_lost, v_exhausted, v_suspects from stalled s;

    perform {schema}.put_back(array(
        select u.g from unnest(v_taken.job_ids) u(g)
        except select u.g from unnest(v_lost || v_exhausted || v_taken.cancelled) u(g)));
    perform {schema}.finalize(
        array_agg(u.job_id),
        array_agg(case when u.job_id = any(v_taken.cancelled) then 'cancelled' else 'failed' end),
        array_agg(case when u.job_id = any(v_taken.cancelled) then null
            when u.job_id = any(v_exhausted) then 'exhausted' else 'stalled' end),
        array_agg(null::text),
        array_agg(u.attempt), array_agg(u.claimed_at), array_agg(u.worker_id))
    from unnest(v_taken.job_ids, v_taken.attempts, v_taken.claimed_ats, v_taken.worker_ids)
        u(job_id, attempt, claimed_at, worker_id)
    where u.job_id = any(v_lost || v_exhausted || v_taken.cancelled) having count(*) > 0;

    perform {schema}.release_groups(null, array(
        select l.seat from {schema}.group_lease l
        where l.group_hash = any(v_groups)
            and (l.worker_id = any(v_dead) or l.acquired_at < v_overdue_before)
            and not exists (select from {schema}.running r where r.group_hash = l.seat)
    ), (select min(j.run_at) from {schema}.job j where j.id = any(v_job_ids)), coalesce(v_suspects, '{}'));
    delete from {schema}.worker w
    where w.id = any(v_dead)
        and not exists (select from {schema}.running r where r.worker_id = w.id)
        and not exists (select from {schema}.group_lease l where l.worker_id = w.id);

    perform {schema}.wake(c.channel_id) from (
        select distinct l.channel_id from {schema}.lane l
        where l.id = any(array(select j.lane_id from {schema}.job j where j.id = any(v_job_ids)))
    ) c;

    return query
    select null::bigint, null::text, l.worker_id, null::text, null::text, l.name
    from {schema}.worker_loss l where l.worker_id = any(v_newly)
    union all
    select u.job_id,
        case
            when u.job_id = any(v_taken.cancelled) then 'cancelled'
            when u.job_id = any(v_lost || v_exhausted) then 'failed'
            else 'queued'
        end,
        u.worker_id, v_names ->> u.job_id::text,
        case
            when u.job_id = any(v_taken.cancelled) then null
            when u.job_id = any(v_lost) then 'stalled'
            when u.job_id = any(v_exhausted) then 'exhausted'
        end,
        null
    from unnest(v_taken.job_ids, v_taken.worker_ids) u(job_id, worker_id);
end $$;
