-- Tells whether the one who is logged in may read payloads: the owner may, and whom the owner lets.
--
-- Asked by doors, which run as the owner; hence session_user. Who logs in as one that may, and sets another
-- role, is still shown them.
create or replace function {schema}.may_read_payloads() returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select has_column_privilege(session_user, '{schema}.all_job', 'payload', 'select');
$$;
