-- Gives the ends of attempts that succeeded, each with its result: what most attempts come to. settle() says the
-- same of them, and of all others; this says it for half the work, since there is nothing to tell apart, and the
-- job itself need not be looked at.
--
-- p_results is one JSON array of all results in the order of the jobs. Its elements go to history as they stand.
-- (Arrays of text would be taken apart, put together and read as JSON three times on the way.)
--
-- The fence is that of settle(): whoever cannot delete the `running` row is lost. Returns the jobs that ended; the
-- others are lost, and those that waited for these are for exchange() to see to. Locks as settle() does.
--
-- Plans: what is given is looked up in `running` by its ids and then hashed; the join that PostgreSQL would choose
-- walks all that runs anywhere, for each exchange. And dependencies are asked for in a subquery with a limit, which is
-- made neither a join nor a hash of the whole table.
create or replace function {schema}.finish(
    p_worker_id bigint, p_job_ids bigint[], p_attempts integer[], p_results json
) returns bigint[]
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_nestloop = off
set enable_mergejoin = off
as $$
declare
    v_job_ids bigint[];
begin
    with mine as (
        delete from {schema}.running r
        using rows from (unnest(p_job_ids), unnest(p_attempts), json_array_elements(p_results))
            g(job_id, attempt, result)
        where r.job_id = any(p_job_ids) and r.job_id = g.job_id and r.attempt = g.attempt and r.worker_id = p_worker_id
        returning r.job_id, r.definition_id, r.lane_id, r.attempt, r.claimed_at, g.result, r.is_tied,
            r.keep_succeeded_secs
    ), filed as (
        insert into {schema}.finalized (
            job_id, definition_id, lane_id, attempt, worker_id, claimed_at, state, result, is_tied, purge_at)
        select m.job_id, m.definition_id, m.lane_id, m.attempt, p_worker_id, m.claimed_at, 'succeeded', m.result,
            m.is_tied, clock_timestamp() + interval '1 second' * m.keep_succeeded_secs
        from mine m
        where m.keep_succeeded_secs is distinct from 0
            or (select true from {schema}.dependency d where d.needs_id = m.job_id limit 1)
    ), dropped as (
        delete from {schema}.job j where j.id = any(array(
            select m.job_id from mine m
            where m.keep_succeeded_secs = 0
                and (select true from {schema}.dependency d where d.needs_id = m.job_id limit 1) is null))
    )
    select array_agg(m.job_id) into v_job_ids from mine m;
    return v_job_ids;
end $$;
