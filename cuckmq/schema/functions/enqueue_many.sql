-- Puts in a job for each payload, all or none, and returns their ids in the order of the payloads.
--
-- Without unique keys it only inserts: no lock is taken and no row of others is touched, so producers never wait for each
-- other and a rollback leaves nothing. Belongs to the caller's transaction.
--
-- A payload is JSON text. p_job_groups has a group, or null, for each payload. What is not given is
-- taken from the definition. A run_at in the past means now: nobody gets ahead by naming an early hour.
-- Jobs of one call get moments a microsecond apart, which keeps their order.
--
-- A job that no worker has taken p_expires_secs after it might run first, or by p_expires_at, fails as
-- expired.
--
-- p_unique_keys has a key, or null, for each payload; see hold_keys(). A payload whose key is held by
-- another job is not put in, and what is returned in its place is that job's id, negated. p_unique_scope
-- tells how long a key is held: `queued` until its job starts, `live` (the default) until it ends, `kept`
-- until it is forgotten, `for` p_unique_for_secs from now.
--
-- A channel of bounded size that has no room for all of them takes none (see has_room): CQ429, or null is
-- returned if p_on_full is `refuse`, which leaves the caller's transaction whole. `ignore` puts them in.
--
-- With p_needs_ids they wait until all of those jobs have ended (see need). If one of those does not succeed,
-- p_on_dependency_failure tells what becomes of them: they `fail`, they are to `cancel`, or they `run` all the same.
--
-- Errors: CQ001 when the definition is not deployed, CQ003 when a value is out of range,
-- CQ408 for a job to wait for that is not known, CQ409 for a duplicate if p_is_duplicate_refused.
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
    p_is_silent boolean default false,
    p_expires_secs double precision default null,
    p_expires_at timestamptz default null,
    p_unique_keys text[] default null,
    p_unique_scope text default null,
    p_unique_for_secs double precision default null,
    p_is_duplicate_refused boolean default null,
    p_on_full text default 'raise',
    p_needs_ids bigint[] default null,
    p_on_dependency_failure text default 'fail'
) returns bigint[]
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
    v_definition record;
    v_lane_id integer;
    v_channel_id integer;
    v_max_size integer;
    v_now timestamptz := clock_timestamp();
    v_run_at timestamptz;
    v_is_delayed boolean;
    v_is_blocked boolean := p_needs_ids <> '{}' and p_needs_ids is not null;
    v_unique_keys text[];
    v_id_base bigint;
    v_ids bigint[];
    v_job_ids bigint[];
begin
    select d.id, d.delay_secs, d.num_attempts, d.num_stalls, d.num_failures, d.job_group, d.lane_id,
        c.id as channel_id, c.name as channel, c.max_size, l.priority, l.definition_id as own_id, d.expires_secs, d.keep_succeeded_secs, d.keep_failed_secs,
        d.unique_key, d.unique_scope, d.unique_for_secs, d.is_duplicate_refused
    into v_definition
    from {schema}.job_definition d
    join {schema}.lane l on l.id = d.lane_id
    join {schema}.channel c on c.id = l.channel_id
    where d.name = p_definition and d.undeployed_at is null;
    if not found then
        raise exception 'job definition "%" is not deployed', p_definition
        using errcode = 'CQ001', hint = 'Deploy the definition before enqueueing: await definition.deploy()';
    end if;
    if cardinality(p_job_groups) > cardinality(p_payloads) or cardinality(p_unique_keys) > cardinality(p_payloads) then
        raise exception '% payloads, with % groups and % unique keys', cardinality(p_payloads),
            coalesce(cardinality(p_job_groups), 0), coalesce(cardinality(p_unique_keys), 0)
        using errcode = 'CQ003', hint = 'give a group, or null, for each payload; and so with keys';
    elsif exists (select from unnest(p_job_groups) g(name) where g.name = '' or length(g.name) > 500) then
        raise exception 'a job group has from 1 to 500 characters' using errcode = 'CQ003';
    elsif p_delay_secs is not null and p_run_at is not null then
        raise exception 'give delay_secs or run_at, not both' using errcode = 'CQ003';
    elsif p_delay_secs < 0 or p_delay_secs > 1e10 or not isfinite(p_run_at) then
        raise exception 'a job cannot run at % (delay_secs %)', p_run_at, p_delay_secs
        using errcode = 'CQ003', hint = 'delay_secs is from 0 to 1e10, and run_at is a finite moment';
    end if;

    v_lane_id := v_definition.lane_id;
    v_channel_id := v_definition.channel_id;
    v_max_size := v_definition.max_size;
    if p_channel is not null or p_priority is not null then
        v_lane_id := {schema}.lane_for(
            coalesce(p_channel, v_definition.channel),
            coalesce(p_priority, v_definition.priority), v_definition.own_id);
        select c.id, c.max_size into v_channel_id, v_max_size
        from {schema}.lane l join {schema}.channel c on c.id = l.channel_id where l.id = v_lane_id;
    end if;
    if v_max_size is not null and p_on_full <> 'ignore'
        and not {schema}.has_room(v_lane_id, cardinality(p_payloads))
    then
        if p_on_full = 'refuse' then
            return null;
        end if;
        raise exception 'the channel of "%" is full: it holds at most % jobs', p_definition, v_max_size
        using errcode = 'CQ429', hint = 'try again when some were taken';
    end if;
    v_run_at := greatest(v_now, coalesce(
        p_run_at, v_now + coalesce(p_delay_secs, v_definition.delay_secs) * interval '1 second'));
    v_is_delayed := v_run_at > v_now;
    if p_expires_secs is not null and p_expires_at is not null then
        raise exception 'give expires_secs or expires_at, not both' using errcode = 'CQ003';
    elsif p_expires_secs <= 0 or p_expires_secs > 1e10 or p_expires_at <= v_run_at or not isfinite(p_expires_at) then
        raise exception 'a job that may run at % cannot expire at % (expires_secs %)', v_run_at, p_expires_at,
            p_expires_secs
        using errcode = 'CQ003', hint = 'a job expires after the moment from which it may run';
    end if;

    if p_unique_keys is not null or v_definition.unique_key is not null then
        v_unique_keys := array(
            select coalesce(u.key, v_definition.unique_key)
            from unnest(p_payloads, p_unique_keys) with ordinality u(payload, key, place) order by u.place);
        v_ids := {schema}.hold_keys(v_definition.id, v_unique_keys,
            coalesce(p_unique_scope, v_definition.unique_scope, 'live'),
            coalesce(p_unique_for_secs, v_definition.unique_for_secs),
            coalesce(p_is_duplicate_refused, v_definition.is_duplicate_refused));
    end if;

    -- A small statement for each table that has to be written, and none for the others: one statement with a branch
    -- for every case took longer to get ready than a single job takes to be put in.
    v_id_base := {schema}.id_base();
    v_job_ids := coalesce(v_ids, array(
        select v_id_base + nextval('{schema}.job_id_seq') from generate_series(1, cardinality(p_payloads))));
    insert into {schema}.job (
        id, definition_id, lane_id, num_attempts, num_stalls, num_failures, run_at, created_at, job_group,
        payload, expires_at, keep_succeeded_secs, keep_failed_secs, is_tied)
    select u.id, v_definition.id, v_lane_id,
        coalesce(p_num_attempts, v_definition.num_attempts), coalesce(p_num_stalls, v_definition.num_stalls),
        coalesce(p_num_failures, v_definition.num_failures), v_run_at + (u.place - 1) * interval '1 microsecond',
        v_now, coalesce(u.job_group, v_definition.job_group), u.payload::json,
        coalesce(p_expires_at, v_run_at + (u.place - 1) * interval '1 microsecond'
            + coalesce(p_expires_secs, v_definition.expires_secs) * interval '1 second'),
        v_definition.keep_succeeded_secs, v_definition.keep_failed_secs,
        u.unique_key is not null or p_expires_at is not null
            or coalesce(p_expires_secs, v_definition.expires_secs) is not null
    from unnest(p_payloads, p_job_groups, v_unique_keys, v_job_ids)
        with ordinality u(payload, job_group, unique_key, id, place)
    where u.id > 0;

    if v_is_blocked then
        perform {schema}.need(array(select u.id from unnest(v_job_ids) u(id) where u.id > 0),
            p_needs_ids, p_on_dependency_failure);
    elsif v_is_delayed then
        insert into {schema}.scheduled (lane_id, definition_id, run_at, job_id, group_hash)
        select v_lane_id, v_definition.id, v_run_at + (u.place - 1) * interval '1 microsecond', u.id,
            {schema}.group_hash(coalesce(u.job_group, v_definition.job_group))
        from unnest(v_job_ids, p_job_groups) with ordinality u(id, job_group, place)
        where u.id > 0;
    else
        insert into {schema}.ready (lane_id, definition_id, run_at, job_id)
        select v_lane_id, v_definition.id, v_run_at + (u.place - 1) * interval '1 microsecond', u.id
        from unnest(v_job_ids, p_job_groups) with ordinality u(id, job_group, place)
        where u.id > 0 and coalesce(u.job_group, v_definition.job_group) is null;
        if v_definition.job_group is not null or array_remove(p_job_groups, null) <> '{}' then
            insert into {schema}.waiting (group_hash, lane_id, definition_id, job_id)
            select {schema}.group_hash(coalesce(u.job_group, v_definition.job_group)), v_lane_id, v_definition.id, u.id
            from unnest(v_job_ids, p_job_groups) u(id, job_group)
            where u.id > 0 and coalesce(u.job_group, v_definition.job_group) is not null;
            insert into {schema}.ready (lane_id, run_at, group_hash)
            select v_lane_id, v_run_at + (min(u.place) - 1) * interval '1 microsecond', u.group_hash
            from (
                select x.id, x.place, {schema}.group_hash(coalesce(x.job_group, v_definition.job_group)) as group_hash
                from unnest(v_job_ids, p_job_groups) with ordinality x(id, job_group, place)
            ) u
            where u.id > 0 and u.group_hash is not null group by u.group_hash;
        end if;
    end if;
    if not p_is_silent then
        perform {schema}.wake(v_channel_id);
    end if;
    return v_job_ids;
end $$;
