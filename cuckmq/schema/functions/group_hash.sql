-- The 64-bit name of a job group inside the queue, and the key of its advisory lock.
--
-- The schema is part of it, so queues that share a database do not wait for each other's groups. Two
-- groups that collide are served one at a time as if they were one: slower, never wrong.
create or replace function {schema}.group_hash(job_group text) returns bigint
language sql immutable strict parallel safe
as $$ select pg_catalog.hashtextextended('{schema_name}:' operator(pg_catalog.||) job_group, 0) $$;
