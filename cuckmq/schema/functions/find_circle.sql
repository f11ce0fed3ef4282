-- Tells which job cannot run before p_job_id has ended, of p_awaited_id and all that this waits for in its turn
-- (need); null when there is none. Such a job is p_job_id itself, or one of the group that it runs in.
--
-- For a job that is about to wait for another without a limit: with a circle it would wait for ever. What it
-- does not see are circles over a job that waits in the same way. A group that several may serve is none.
-- Reads a row for each job that is waited for, and locks nothing.
create or replace function {schema}.find_circle(p_job_id bigint, p_job_group text, p_awaited_id bigint)
returns bigint
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
begin
    return (
        with recursive awaited(id) as (
            select p_awaited_id
            union
            select d.needs_id from awaited a cross join lateral (
                select x.needs_id from {schema}.dependency x where x.job_id = a.id offset 0) d
        )
        select j.id from awaited a
        cross join lateral (select x.id, x.job_group from {schema}.job x where x.id = a.id offset 0) j
        where j.id = p_job_id
            or j.job_group = p_job_group and not exists (
                select from {schema}.group_limit m where m.group_hash = {schema}.group_hash(p_job_group))
        limit 1);
end $$;
