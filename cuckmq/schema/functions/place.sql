-- Gives jobs that were blocked the place in which they may be claimed, each at its run_at if that is still to
-- come, and else at the tail; groups get turns, and workers are woken. The caller holds the jobs' rows.
create or replace function {schema}.place(p_job_ids bigint[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    if p_job_ids = '{}' then
        return;
    end if;
    with placed as (
        update {schema}.job j set run_at = greatest(j.run_at, v_now)
        where j.id = any(p_job_ids)
        returning j.id, j.lane_id, j.definition_id, j.run_at, {schema}.group_hash(j.job_group) as group_hash
    ), put_off as (
        insert into {schema}.scheduled (lane_id, definition_id, run_at, job_id, group_hash)
        select p.lane_id, p.definition_id, p.run_at, p.id, p.group_hash from placed p where p.run_at > v_now
    ), lined_up as (
        insert into {schema}.waiting (group_hash, lane_id, definition_id, job_id)
        select p.group_hash, p.lane_id, p.definition_id, p.id
        from placed p where p.run_at <= v_now and p.group_hash is not null
    )
    insert into {schema}.ready (lane_id, definition_id, run_at, job_id, group_hash)
    select p.lane_id, p.definition_id, p.run_at, p.id, null
    from placed p where p.run_at <= v_now and p.group_hash is null
    union all
    select p.lane_id, null, v_now, null, p.group_hash
    from placed p where p.run_at <= v_now and p.group_hash is not null group by p.lane_id, p.group_hash;

    perform {schema}.wake(c.channel_id) from (
        select distinct l.channel_id from {schema}.lane l
        where l.id = any(array(select j.lane_id from {schema}.job j where j.id = any(p_job_ids)))
    ) c;
end $$;
