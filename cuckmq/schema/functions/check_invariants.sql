-- Tells what is wrong with the picture as a whole; no rows when all is well.
--
-- For tests and for `doctor`: it reads everything, in one snapshot, and locks nothing.
--
-- What must be true of a single row of `job`, `ready`, `running` and `finalized` is said here too, and not by
-- constraints: the server reads a constraint's text anew for each statement, which took a fifth of the time in
-- which a job is put in. Only this schema's own functions write these tables.
create or replace function {schema}.check_invariants()
returns table (problem text, job_id bigint, group_hash bigint)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    with place as (
        select s.job_id, s.run_at, s.lane_id, s.group_hash, 'scheduled' as name
        from {schema}.scheduled s where s.job_id is not null
        union all
        select r.job_id, r.run_at, r.lane_id, null, 'ready' from {schema}.ready r where r.job_id is not null
        union all
        select w.job_id, null, w.lane_id, w.group_hash, 'waiting' from {schema}.waiting w
        union all
        select b.job_id, j.run_at, j.lane_id, {schema}.group_hash(j.job_group), 'blocked'
        from {schema}.blocked b left join {schema}.job j on j.id = b.job_id
        union all
        select r.job_id, null, r.lane_id, coalesce(l.group_hash, r.group_hash), 'running'
        from {schema}.running r left join {schema}.group_lease l on l.seat = r.group_hash
    ), live as (
        select j.* from {schema}.job j where not exists (select from {schema}.finalized f where f.job_id = j.id)
    )
    select 'a live job has no place', j.id, null::bigint
    from live j where not exists (select from place p where p.job_id = j.id)
    union all
    select 'a live job has two places', p.job_id, null from place p group by p.job_id having count(*) > 1
    union all
    select 'an entry in ' || p.name || ' has no job', p.job_id, p.group_hash
    from place p where not exists (select from {schema}.job j where j.id = p.job_id)
    union all
    select 'a finalized job is in ' || p.name, p.job_id, p.group_hash
    from place p join {schema}.finalized f on f.job_id = p.job_id
    union all
    select 'an ending has no job', f.job_id, null
    from {schema}.finalized f where not exists (select from {schema}.job j where j.id = f.job_id)
    union all
    select 'a finalized job may still expire', j.id, null
    from {schema}.job j join {schema}.finalized f on f.job_id = j.id where j.expires_at is not null
    union all
    select 'a job has a group out of bounds', j.id, null
    from {schema}.job j where j.job_group = '' or length(j.job_group) > 500
    union all
    select 'a ready entry is neither a job nor a turn', r.job_id, r.group_hash
    from {schema}.ready r
    where (r.job_id is null) = (r.group_hash is null) or (r.job_id is null) <> (r.definition_id is null)
    union all
    select 'an attempt has no number', r.job_id, null from {schema}.running r where r.attempt < 1
    union all
    select 'an ending contradicts itself', f.job_id, null
    from {schema}.finalized f
    where f.attempt < 0 or f.state not in ('succeeded', 'failed', 'cancelled')
        or (f.state = 'failed') <> (f.reason is not null) or (f.state <> 'succeeded' and f.result is not null)
    union all
    select 'an entry in ' || p.name || ' does not fit its job', p.job_id, p.group_hash
    from place p join {schema}.job j on j.id = p.job_id
    where p.run_at <> j.run_at or p.lane_id <> j.lane_id
        or p.group_hash is distinct from {schema}.group_hash(j.job_group)
    union all
    select 'a job that is not blocked waits for another', d.job_id, null
    from {schema}.dependency d where not exists (select from {schema}.blocked b where b.job_id = d.job_id)
    union all
    select 'a unique key is held by a job that has ended', k.job_id, null
    from {schema}.unique_key k
    where k.is_held and k.scope in ('queued', 'live')
        and not exists (select from live j where j.id = k.job_id)
    union all
    select 'a job with a unique key is not tied', k.job_id, null
    from {schema}.unique_key k left join {schema}.job j on j.id = k.job_id
    where not coalesce(j.is_tied, k.scope = 'for')
    union all
    select 'a running job has no worker', r.job_id, r.group_hash
    from {schema}.running r where not exists (select from {schema}.worker w where w.id = r.worker_id)
    union all
    select 'a leased group has no worker', null, l.group_hash
    from {schema}.group_lease l where not exists (select from {schema}.worker w where w.id = l.worker_id)
    union all
    select 'a grouped job runs without its worker holding the lease', r.job_id, r.group_hash
    from {schema}.running r
    where r.group_hash is not null and not exists (
        select from {schema}.group_lease l where l.seat = r.group_hash and l.worker_id = r.worker_id)
    union all
    select 'a line has neither a turn nor a lease', null, w.group_hash
    from (select distinct x.group_hash, x.lane_id from {schema}.waiting x) w
    where not exists (select from {schema}.group_lease l where l.group_hash = w.group_hash)
        and not exists (
            select from {schema}.ready r where r.group_hash = w.group_hash and r.lane_id = w.lane_id)
        and not exists (
            select from {schema}.scheduled s
            where s.group_hash = w.group_hash and s.lane_id = w.lane_id and s.job_id is null);
end $$;
