-- Lets a job group be served by so many at once; 1 is what every group has unless told otherwise.
--
-- With more, the turns that its line needs are given now. With fewer, those who serve it go on, and
-- nobody else begins until they are few enough.
-- Errors: CQ003 for a value out of range. Locks the group (advisory), as claims and releases of it do.
create or replace function {schema}.limit_group(p_job_group text, p_concurrency integer) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_group_hash bigint := {schema}.group_hash(p_job_group);
begin
    if p_concurrency is null or p_concurrency not between 1 and 1000 then
        raise exception 'a group is served by 1 to 1000 at once, not %', p_concurrency using errcode = 'CQ003';
    end if;
    perform pg_advisory_xact_lock(v_group_hash);
    delete from {schema}.group_limit g where g.group_hash = v_group_hash;
    if p_concurrency > 1 then
        insert into {schema}.group_limit (group_hash, job_group, concurrency)
        values (v_group_hash, p_job_group, p_concurrency);
    end if;
    insert into {schema}.ready (lane_id, run_at, group_hash)
    select s.lane_id, clock_timestamp(), s.group_hash from {schema}.standing_lanes(array[v_group_hash]) s;
    perform {schema}.wake(l.channel_id)
    from {schema}.standing_lanes(array[v_group_hash]) s join {schema}.lane l on l.id = s.lane_id
    group by l.channel_id;
end $$;
