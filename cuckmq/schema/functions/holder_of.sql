-- Returns the id of the job that holds a unique key of a definition; no row when it is free. Locks nothing.
create or replace function {schema}.holder_of(p_definition text, p_key text) returns setof bigint
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
begin
    return query
    select k.job_id from {schema}.unique_key k
    join {schema}.job_definition d on d.id = k.definition_id
    where d.name = p_definition and k.key = p_key and k.is_held
        and (k.held_until is null or k.held_until > clock_timestamp());
end $$;
