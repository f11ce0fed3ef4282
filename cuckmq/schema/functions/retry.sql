-- Makes jobs live again that failed or were cancelled. Returns a row for each such job of those given:
--   queued      it may run at once, behind all that stands there
--   duplicate   another job, the holder, has its unique key by now, and it was left as it is
-- All others (those that live, succeeded, or are not known) are left alone and have no row.
--
-- A job keeps its id, its payload, its limits and the errors so far. Its errors and stalls are counted from
-- 0 again, and it expires no more, while its attempts are numbered on: the last number goes into return_count. So an outcome that
-- comes late from the life before fits no attempt of the new one, and changes nothing.
--
-- Keys of scope `queued` and `live` are held again, as in hold_keys(): whoever asks for one at this moment
-- waits for us or we for him, and one of the two has it. Keys of scope `for` count from the enqueue, and
-- are no matter here.
--
-- The fence: a job is retried by whoever deletes its row in history. Of two who retry one job the second
-- waits for the first, and finds it gone.
-- Locks the rows in history in the order of their ids, then keys in their order. All else is inserted.
create or replace function {schema}.retry(p_job_ids bigint[])
returns table (job_id bigint, verdict text, holder_id bigint)
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_now timestamptz := clock_timestamp();
    v_key record;
    v_refused bigint[] := '{}';
    v_holder_ids bigint[] := '{}';
    v_holder record;
    v_job_ids bigint[] := array(
        select f.job_id from {schema}.finalized f
        where f.job_id = any(p_job_ids) and f.state in ('failed', 'cancelled') order by f.job_id for update);
begin
    for v_key in
        select k.job_id, k.definition_id, k.key from {schema}.unique_key k
        where k.job_id = any(v_job_ids) and not k.is_held and k.scope in ('queued', 'live')
        order by k.key collate "C", k.job_id
    loop
        loop
            begin
                update {schema}.unique_key k set is_held = true where k.job_id = v_key.job_id;
                exit;
            exception when unique_violation then
                select k.job_id, k.held_until <= clock_timestamp() as is_over into v_holder
                from {schema}.unique_key k
                where k.definition_id = v_key.definition_id and k.key = v_key.key and k.is_held;
            end;
            continue when v_holder is null;
            if v_holder.is_over then
                update {schema}.unique_key k set is_held = false where k.job_id = v_holder.job_id and k.is_held;
                continue;
            end if;
            v_refused := v_refused || v_key.job_id;
            v_holder_ids := v_holder_ids || v_holder.job_id;
            exit;
        end loop;
    end loop;

    with taken as (
        delete from {schema}.finalized f
        where f.job_id = any(v_job_ids) and not f.job_id = any(v_refused) returning f.job_id, f.attempt
    ), entry as materialized (
        select t.job_id, t.attempt,
            v_now + (row_number() over (order by t.job_id) - 1) * interval '1 microsecond' as retried_at
        from taken t
    ), written as (
        update {schema}.job j
        set error_count = 0, stall_count = 0, return_count = e.attempt, run_at = e.retried_at,
            (keep_succeeded_secs, keep_failed_secs) = (
                select d.keep_succeeded_secs, d.keep_failed_secs
                from {schema}.job_definition d where d.id = j.definition_id)
        from entry e
        where j.id = any(v_job_ids) and j.id = e.job_id
        returning j.id, j.lane_id, j.definition_id, j.run_at, {schema}.group_hash(j.job_group) as group_hash
    ), lined_up as (
        insert into {schema}.waiting (group_hash, lane_id, definition_id, job_id)
        select e.group_hash, e.lane_id, e.definition_id, e.id from written e where e.group_hash is not null
    )
    insert into {schema}.ready (lane_id, definition_id, run_at, job_id, group_hash)
    select e.lane_id, e.definition_id, e.run_at, e.id, null from written e where e.group_hash is null
    union all
    select e.lane_id, null, min(e.run_at), null, e.group_hash
    from written e where e.group_hash is not null group by e.lane_id, e.group_hash;

    perform {schema}.wake(c.channel_id) from (
        select distinct l.channel_id from {schema}.lane l
        where l.id = any(array(select j.lane_id from {schema}.job j where j.id = any(v_job_ids)))
    ) c;
    return query
    select u.id, case when r.id is null then 'queued' else 'duplicate' end, r.holder_id
    from unnest(v_job_ids) u(id) left join unnest(v_refused, v_holder_ids) r(id, holder_id) on r.id = u.id;
end $$;
