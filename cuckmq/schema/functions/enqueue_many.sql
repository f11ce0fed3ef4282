-- Puts in a job for each payload, all or none, and returns their ids in the order of the payloads.
--
-- Only inserts: no lock is taken and no row of others is touched, so producers never wait for each
-- other and a rollback leaves nothing. Belongs to the caller's transaction.
--
-- A payload is JSON text. p_job_groups has a group, or null, for each payload. What is not given is
-- taken from the definition. A run_at in the past means now: nobody gets ahead by naming an early hour.
-- Jobs of one call get moments a microsecond apart, which keeps their order.
--
-- Errors: CQ001 when the definition is not deployed, CQ003 when a value is out of range.
create or replace function {schema}.enqueue_many(
    p_definition text,
    p_payloads text[],
    p_job_groups text[] default null,
    p_delay_secs double precision default null,
    p_run_at timestamptz default null,
    p_channel text default null,
    p_priority integer default null,
    p_num_attempts integer default null,
    p_num_stalls integer default null,
    p_num_failures integer default null,
    p_is_silent boolean default false
) returns bigint[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_definition record;
    v_lane_id integer;
    v_now timestamptz := clock_timestamp();
    v_run_at timestamptz;
    v_is_delayed boolean;
    v_job_ids bigint[];
begin
    select d.id, d.delay_secs, d.num_attempts, d.num_stalls, d.num_failures, d.job_group, d.lane_id,
        l.channel_id, l.priority
    into v_definition
    from {schema}.job_definition d join {schema}.lane l on l.id = d.lane_id
    where d.name = p_definition and d.undeployed_at is null;
    if not found then
        raise exception 'job definition "%" is not deployed', p_definition
        using errcode = 'CQ001', hint = 'Deploy the definition before enqueueing: await definition.deploy()';
    end if;
    if p_delay_secs is not null and p_run_at is not null then
        raise exception 'give delay_secs or run_at, not both' using errcode = 'CQ003';
    elsif p_delay_secs < 0 or p_delay_secs > 1e10 or not isfinite(p_run_at) then
        raise exception 'a job cannot run at % (delay_secs %)', p_run_at, p_delay_secs
        using errcode = 'CQ003', hint = 'delay_secs is from 0 to 1e10, and run_at is a finite moment';
    end if;

    v_lane_id := v_definition.lane_id;
    if p_channel is not null or p_priority is not null then
        v_lane_id := {schema}.lane_for(
            coalesce(p_channel, (select c.name from {schema}.channel c where c.id = v_definition.channel_id)),
            coalesce(p_priority, v_definition.priority));
    end if;
    v_run_at := greatest(v_now, coalesce(
        p_run_at, v_now + coalesce(p_delay_secs, v_definition.delay_secs) * interval '1 second'));
    v_is_delayed := v_run_at > v_now;

    with entry as materialized (
        select
            nextval('{schema}.job_id_seq') as id,
            u.payload::json as payload,
            coalesce(u.job_group, v_definition.job_group) as job_group,
            {schema}.group_hash(coalesce(u.job_group, v_definition.job_group)) as group_hash,
            v_run_at + (u.place - 1) * interval '1 microsecond' as run_at
        from unnest(p_payloads, p_job_groups) with ordinality u(payload, job_group, place)
        order by u.place
    ), written as (
        insert into {schema}.job (
            id, definition_id, lane_id, num_attempts, num_stalls, num_failures, run_at, created_at, job_group,
            payload)
        select e.id, v_definition.id, v_lane_id,
            coalesce(p_num_attempts, v_definition.num_attempts), coalesce(p_num_stalls, v_definition.num_stalls),
            coalesce(p_num_failures, v_definition.num_failures), e.run_at, v_now, e.job_group, e.payload
        from entry e
    ), put_off as (
        insert into {schema}.scheduled (lane_id, definition_id, run_at, job_id, group_hash)
        select v_lane_id, v_definition.id, e.run_at, e.id, e.group_hash from entry e where v_is_delayed
    ), lined_up as (
        insert into {schema}.waiting (group_hash, lane_id, definition_id, job_id)
        select e.group_hash, v_lane_id, v_definition.id, e.id
        from entry e where not v_is_delayed and e.group_hash is not null
    ), opened as (
        insert into {schema}.ready (lane_id, definition_id, run_at, job_id, group_hash)
        select v_lane_id, v_definition.id, e.run_at, e.id, null
        from entry e where not v_is_delayed and e.group_hash is null
        union all
        select v_lane_id, null, min(e.run_at), null, e.group_hash
        from entry e where not v_is_delayed and e.group_hash is not null
        group by e.group_hash
    )
    select array_agg(e.id order by e.id) into v_job_ids from entry e;

    if not p_is_silent then
        perform {schema}.wake(l.channel_id) from {schema}.lane l where l.id = v_lane_id;
    end if;
    return coalesce(v_job_ids, '{}');
end $$;
