-- Finds the ids of up to p_limit jobs that fit all that is given, in the order of their ids: the newest
-- first, or the oldest. What is null is not asked for.
--
-- p_states are names as in all_job. p_payload is compared as jsonb, so spaces and the order of keys make no
-- difference. p_after is the last id of the page before.
--
-- Walks primary keys from p_after on: the jobs', or history's if only states of that are asked for, or those of
-- `running`. It stops as soon as it has a page, so what is common is found at once, and what is rare is looked for
-- to the end. (By `exists` the planner may choose to read a whole table first, into a hash.) Locks nothing.
--
-- Planned anew for each call, for the conditions that it really has.
-- Errors: 42501 for a payload from one who may not read any; CQ404 for an unknown definition, CQ405 for an unknown channel.
create or replace function {schema}.find_jobs(
    p_states text[] default null,
    p_definition text default null,
    p_channel text default null,
    p_job_group text default null,
    p_payload jsonb default null,
    p_after bigint default null,
    p_limit integer default 100,
    p_is_oldest_first boolean default false
) returns setof bigint
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
set enable_bitmapscan = off
as $$
declare
    v_definition_id integer;
    v_lane_ids integer[];
    v_from text := '{schema}.job j';
    v_state text := $state$coalesce(
        (select f.state from {schema}.finalized f where f.job_id = j.id),
        case when (select true from {schema}.running r where r.job_id = j.id limit 1) then 'running'
        when (select true from {schema}.scheduled s
            where s.lane_id = j.lane_id and s.run_at = j.run_at and s.job_id = j.id limit 1) then 'scheduled'
        when (select true from {schema}.blocked b where b.job_id = j.id limit 1) then 'blocked'
        else 'queued' end) = any($1)$state$;
begin
    if p_payload is not null and not {schema}.may_read_payloads() then
        -- Whoever could ask for payloads could find them out by guessing.
        raise exception 'you may not read payloads, and so not look for them'
        using errcode = 'insufficient_privilege', hint = 'leave out the payload, or ask as the owner';
    end if;
    if p_definition is not null then
        select d.id into v_definition_id from {schema}.job_definition d where d.name = p_definition;
        if not found then
            raise exception 'there is no job definition "%"', p_definition
            using errcode = 'CQ404', hint = 'deploy it first, or look for a typing error';
        end if;
    end if;
    if p_channel is not null then
        v_lane_ids := {schema}.lanes_of(p_channel);
    end if;
    if p_states is null then
        v_state := 'true';
    elsif p_states = '{running}' then
        v_state := 'true';
        v_from := '{schema}.running e join {schema}.job j on j.id = e.job_id';
    elsif p_states <@ '{succeeded,failed,cancelled}' then
        v_state := 'e.state = any($1)';
        v_from := '{schema}.finalized e join {schema}.job j on j.id = e.job_id';
    end if;

    return query execute format($query$
        select j.id from %1$s
        where ($2 is null or j.definition_id = $2)
            and ($3 is null or j.lane_id = any($3))
            and ($4 is null or j.job_group = $4)
            and ($5 is null or {schema}.is_same_json(j.payload, $5))
            and ($6 is null or j.id %3$s $6)
            and %2$s
        order by j.id %4$s limit $7
        $query$,
        v_from, v_state,
        case when p_is_oldest_first then '>' else '<' end,
        case when p_is_oldest_first then 'asc' else 'desc' end)
    using p_states, v_definition_id, v_lane_ids, p_job_group, p_payload, p_after, p_limit;
end $$;
