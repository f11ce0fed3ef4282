-- The name of a group's n-th seat: what a lease is of, and the fence of a grouped `running` row names. The
-- first seat bears the group's own hash, so a group served by one worker at a time knows no other.
create or replace function {schema}.seat_of(group_hash bigint, n integer) returns bigint
language sql immutable strict parallel safe
as $$
    select case when n operator(pg_catalog.=) 1 then group_hash
        else pg_catalog.hashint8extended(group_hash, n) end
$$;
