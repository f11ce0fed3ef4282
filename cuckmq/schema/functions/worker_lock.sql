-- The key of the advisory lock that a worker's own session holds while it lives.
create or replace function {schema}.worker_lock(worker_id bigint) returns bigint
language sql immutable strict parallel safe
as $$
    select pg_catalog.hashtextextended(
        '{schema_name}:worker:' operator(pg_catalog.||) worker_id::pg_catalog.text, 0)
$$;
