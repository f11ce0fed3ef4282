-- Puts in one job that is to have everything as its definition says, as most jobs are put in, and returns its id. What
-- enqueue_many() would do with it, in three statements of a single row: getting statements over arrays ready takes
-- several times as long as one job does.
--
-- Where the definition asks for more than that (a delay, an expiry, a unique key, a channel of bounded size),
-- enqueue_many() does it. Null, and nothing was put in, when such a channel has no room. Negated, as there, is the
-- id of another job that holds the key.
create or replace function {schema}.enqueue_one(
    p_definition text, p_payload text, p_job_group text, p_is_silent boolean
) returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id bigint;
    v_definition_id integer;
    v_channel_id integer;
    v_lane_id integer;
    v_num_attempts integer;
    v_num_stalls integer;
    v_num_failures integer;
    v_keep_succeeded_secs double precision;
    v_keep_failed_secs double precision;
    v_job_group text;
    v_group_hash bigint;
    v_now timestamptz := clock_timestamp();
begin
    if p_job_group = '' or length(p_job_group) > 500 then
        raise exception 'a job group has from 1 to 500 characters' using errcode = 'CQ003';
    end if;
    -- Into scalars: a record, or an insert from this select, takes longer to get ready.
    select d.id, c.id, d.lane_id, d.num_attempts, d.num_stalls, d.num_failures, d.keep_succeeded_secs,
        d.keep_failed_secs, coalesce(p_job_group, d.job_group)
    into v_definition_id, v_channel_id, v_lane_id, v_num_attempts, v_num_stalls, v_num_failures, v_keep_succeeded_secs,
        v_keep_failed_secs, v_job_group
    from {schema}.job_definition d
    join {schema}.lane l on l.id = d.lane_id
    join {schema}.channel c on c.id = l.channel_id
    where d.name = p_definition and d.undeployed_at is null and d.delay_secs = 0 and d.expires_secs is null
        and d.unique_key is null and c.max_size is null;
    if not found then
        return ({schema}.enqueue_many(p_definition, array[p_payload], array[p_job_group],
            p_is_silent => p_is_silent, p_on_full => 'refuse'))[1];
    end if;

    v_id := nextval('{schema}.job_id_seq');  -- first, as it tells of a standby by the right error
    v_id := v_id + {schema}.id_base();
    insert into {schema}.job (
        id, definition_id, lane_id, num_attempts, num_stalls, num_failures, run_at, created_at, job_group, payload,
        keep_succeeded_secs, keep_failed_secs)
    values (
        v_id, v_definition_id, v_lane_id, v_num_attempts, v_num_stalls, v_num_failures, v_now, v_now, v_job_group,
        p_payload::json, v_keep_succeeded_secs, v_keep_failed_secs);
    if v_job_group is null then
        insert into {schema}.ready (lane_id, definition_id, run_at, job_id)
        values (v_lane_id, v_definition_id, v_now, v_id);
    else
        v_group_hash := {schema}.group_hash(v_job_group);
        insert into {schema}.waiting (group_hash, lane_id, definition_id, job_id)
        values (v_group_hash, v_lane_id, v_definition_id, v_id);
        insert into {schema}.ready (lane_id, run_at, group_hash) values (v_lane_id, v_now, v_group_hash);
    end if;
    if not p_is_silent then
        perform {schema}.wake(v_channel_id);
    end if;
    return v_id;
end $$;
