-- Puts in one job and returns its id: enqueue_many() for one, in the words of psql and triggers.
--
--     select enqueue('PING', '{"message": "hello"}', delay_secs => 30);
--
-- With a unique key that another job holds nothing is put in, and that job's id is returned.
-- Belongs to the caller's transaction: the job exists if and only if that commits.
create or replace function {schema}.enqueue(
    definition text,
    payload json default 'null',
    job_group text default null,
    delay_secs double precision default null,
    run_at timestamptz default null,
    channel text default null,
    priority integer default null,
    num_attempts integer default null,
    num_stalls integer default null,
    num_failures integer default null,
    expires_secs double precision default null,
    expires_at timestamptz default null,
    unique_key text default null,
    unique_scope text default null,
    unique_for_secs double precision default null,
    is_duplicate_refused boolean default null,
    needs_ids bigint[] default null,
    on_dependency_failure text default 'fail'
) returns bigint
language sql
set search_path = pg_catalog, pg_temp
as $$
    select abs(({schema}.enqueue_many(
        definition, array[payload::text], array[job_group], delay_secs, run_at, channel, priority,
        num_attempts, num_stalls, num_failures, false, expires_secs, expires_at,
        p_unique_keys => case when unique_key is not null then array[unique_key] end,
        p_unique_scope => unique_scope, p_unique_for_secs => unique_for_secs,
        p_is_duplicate_refused => is_duplicate_refused,
        p_needs_ids => needs_ids, p_on_dependency_failure => on_dependency_failure))[1])
$$;
