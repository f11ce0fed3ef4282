-- Names up to p_limit jobs of a channel that would be claimed next, in the order in which they would be:
-- suspects, then by priority, then by run_at. Jobs that have come due count, though not moved yet.
--
-- Of a group only the first in line is named, since all others wait for it; and none of a group that is
-- being served. A worker that does not know a definition passes over its jobs; this does not.
--
-- Looks at the first entries of each lane and no further: p_limit of each kind, and p_depth turns, which
-- may be stale. Locks nothing.
-- Errors: CQ405 for an unknown channel.
create or replace function {schema}.peek(p_channel text, p_limit integer, p_depth integer default 1000)
returns setof bigint
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
set enable_bitmapscan = off
as $$
begin
    return query
    with served as materialized (
        select g.group_hash, count(*) as num from {schema}.group_lease g group by g.group_hash
    ), full_group as materialized (
        select s.group_hash from served s
        where s.num >= coalesce((select m.concurrency from {schema}.group_limit m where m.group_hash = s.group_hash), 1)
    ), entry as (
        select l.id as lane_id, l.priority, e.run_at, e.job_id, e.group_hash, e.is_suspect
        from {schema}.lane l cross join lateral (
            (
                select r.run_at, r.job_id, r.group_hash, r.is_suspect from {schema}.ready r
                where r.lane_id = l.id and r.is_suspect order by r.run_at limit p_limit
            ) union all (
                select r.run_at, r.job_id, r.group_hash, r.is_suspect from {schema}.ready r
                where r.lane_id = l.id and not r.is_suspect order by r.run_at limit p_limit + p_depth
            ) union all (
                select s.run_at, case when s.group_hash is null then s.job_id end, s.group_hash, false
                from {schema}.scheduled s
                where s.lane_id = l.id and s.run_at <= clock_timestamp()
                order by s.run_at limit p_limit + p_depth
            )
        ) e
        where l.id = any({schema}.lanes_of(p_channel))
            and (e.group_hash is null or not e.group_hash = any(array(select g.group_hash from full_group g)))
    ), first_of_group as (
        select distinct on (e.group_hash) e.* from entry e
        where e.group_hash is not null
        order by e.group_hash, e.is_suspect desc, e.priority desc, e.run_at
    ), next as (
        select e.job_id, e.is_suspect, e.priority, e.run_at from entry e where e.group_hash is null
        union all
        select coalesce(
            (select w.job_id from {schema}.waiting w
             where w.group_hash = e.group_hash and w.lane_id = e.lane_id order by w.job_id limit 1),
            (select s.job_id from {schema}.scheduled s
             where s.lane_id = e.lane_id and s.run_at = e.run_at and s.group_hash = e.group_hash
                and s.job_id is not null limit 1)
        ), e.is_suspect, e.priority, e.run_at
        from first_of_group e
    )
    select n.job_id from next n where n.job_id is not null
    order by n.is_suspect desc, n.priority desc, n.run_at, n.job_id limit p_limit;
end $$;
