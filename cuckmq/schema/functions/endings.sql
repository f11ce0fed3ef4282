-- Returns how jobs ended, by id; without a state, that there is no such job (any more). Those that live are
-- left out. Locks nothing.
create or replace function {schema}.endings(p_job_ids bigint[])
returns table (job_id bigint, state text, reason text, result json, errors jsonb)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
begin
    return query
    select u.id, f.state, f.reason, f.result, j.errors
    from unnest(p_job_ids) u(id)
    left join lateral (select x.* from {schema}.finalized x where x.job_id = u.id offset 0) f on true
    left join lateral (select x.id, x.errors from {schema}.job x where x.id = u.id offset 0) j on true
    where f.job_id is not null or j.id is null;
end $$;
