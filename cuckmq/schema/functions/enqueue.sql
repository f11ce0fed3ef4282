-- Puts in one job and returns its id: enqueue_many() for one, in the words of psql and triggers.
--
--     select enqueue('PING', '{"message": "hello"}', delay_secs => 30);
--
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
    num_failures integer default null
) returns bigint
language sql
set search_path = pg_catalog, pg_temp
as $$
    select ({schema}.enqueue_many(
        definition, array[payload::text], array[job_group], delay_secs, run_at, channel, priority,
        num_attempts, num_stalls, num_failures))[1]
$$;
