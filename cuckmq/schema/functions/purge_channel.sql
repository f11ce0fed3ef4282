-- Cancels up to p_limit jobs of a channel that have not started, and tells how many; with the newest job
-- that it may touch, to be given to the next call, so that a purge ends though producers go on.
--
-- They go to history as any cancelled job does (cancel() is called for each). What someone has in hand at
-- this moment (a claim, a cancellation) is passed over, so this waits for nobody: it locks the entries, by
-- which no claim can take them, then the jobs, and only then cancels what it holds both of. Turns of groups
-- whose line it empties stay, and vanish when they are claimed.
-- Errors: CQ405 for an unknown channel.
create or replace function {schema}.purge_channel(
    p_channel text, p_limit integer default 500, p_newest_id bigint default null
) returns table (num_cancelled integer, newest_id bigint)
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
declare
    v_lane_ids integer[] := {schema}.lanes_of(p_channel);
    v_newest_id bigint := coalesce(p_newest_id, (select max(j.id) from {schema}.job j));
    v_job_ids bigint[];
begin
    v_job_ids := array(
        select e.job_id from unnest(v_lane_ids) lane(id) cross join lateral (
            select r.job_id from {schema}.ready r
            where r.lane_id = lane.id and r.job_id <= v_newest_id limit p_limit for update skip locked
        ) e limit p_limit);
    v_job_ids := v_job_ids || array(
        select e.job_id from unnest(v_lane_ids) lane(id) cross join lateral (
            select s.job_id from {schema}.scheduled s
            where s.lane_id = lane.id and s.job_id <= v_newest_id
            limit p_limit for update skip locked
        ) e limit p_limit - cardinality(v_job_ids));
    v_job_ids := v_job_ids || array(
        select w.job_id from {schema}.waiting w
        where w.lane_id = any(v_lane_ids) and w.job_id <= v_newest_id
        limit p_limit - cardinality(v_job_ids) for update skip locked);
    v_job_ids := v_job_ids || array(
        select b.job_id from {schema}.blocked b join {schema}.job j on j.id = b.job_id
        where j.lane_id = any(v_lane_ids) and b.job_id <= v_newest_id
        limit p_limit - cardinality(v_job_ids) for update of b skip locked);
    v_job_ids := array(select j.id from {schema}.job j where j.id = any(v_job_ids) for update skip locked);

    num_cancelled := (select count(*) from unnest(v_job_ids) u(id) where {schema}.cancel(u.id) = 'cancelled');
    newest_id := v_newest_id;
    return next;
end $$;
