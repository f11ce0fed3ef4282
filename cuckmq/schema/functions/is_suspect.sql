-- Whether a job that lost its worker this often is to be claimed with nothing beside it.
--
-- One lost worker is a common accident (a deployment, a full disk), and must not make long jobs queue
-- up one by one; two, or the last that the job may survive, are a pattern.
create or replace function {schema}.is_suspect(stall_count integer, num_stalls integer) returns boolean
language sql immutable parallel safe
as $$
    select stall_count operator(pg_catalog.>=) 1
        and stall_count operator(pg_catalog.>=) least(2, num_stalls)
$$;
