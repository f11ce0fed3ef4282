-- Hints to workers of a channel that there may be something to claim.
--
-- A hint and no more: workers look by themselves as well. It is sent when the transaction commits, and
-- repeated hints of one transaction are sent once.
create or replace function {schema}.wake(p_channel_id integer) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    perform pg_notify('cuckmq.{schema_name}', 'ready ' || p_channel_id);
end $$;
