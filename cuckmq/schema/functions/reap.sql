-- Runs a rescue now, and tells whom it found: each dead worker, with each job taken from it.
--
-- A worker that held nothing has one row, without a job. So has one of whose jobs someone else has hold at
-- this moment; it stays, marked as lost, and a later rescue ends it.
-- Unlike rescue() it waits its turn, behind a rescue that is under way. Locks: the turn, then all workers'
-- rows against leaving (so that who leaves meanwhile is not told of as dead), then as rescue() says. Call it
-- in a transaction of its own.
create or replace function {schema}.reap(
    p_job_group_unlock_secs double precision default 10800,
    p_beat_secs double precision default 2.5
) returns table (worker_id bigint, name text, job_id bigint, verdict text, definition text, reason text)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_ids bigint[];
    v_names text[];
    v_taken record;
begin
    perform pg_advisory_xact_lock(hashtextextended('{schema_name}:rescue', 0));
    select array_agg(k.id), array_agg(k.name) into v_ids, v_names
    from (select w.id, w.name from {schema}.worker w order by w.id for key share skip locked) k;

    select array_agg(r.worker_id) as worker_ids, array_agg(r.job_id) as job_ids,
        array_agg(r.verdict) as verdicts, array_agg(r.definition) as definitions, array_agg(r.reason) as reasons
    into v_taken from {schema}.rescue(p_job_group_unlock_secs, p_beat_secs) r where r.job_id is not null;

    return query
    select k.id, k.name, t.job_id, t.verdict, t.definition, t.reason
    from unnest(v_ids, v_names) k(id, name)
    left join unnest(v_taken.worker_ids, v_taken.job_ids, v_taken.verdicts, v_taken.definitions,
        v_taken.reasons) t(worker_id, job_id, verdict, definition, reason) on t.worker_id = k.id
    where t.worker_id is not null
        or not exists (select from {schema}.worker w where w.id = k.id and not w.is_lost)
    order by k.id, t.job_id;
end $$;
