-- A living worker serves these channels from now on, instead of those it served before.
--
-- Returns the ids of the channels, and of their lanes: what the worker holds from another lane and has
-- not started is to go back (recall). Channels that are not there yet are made. Serving is the worker's
-- own affair (claim() is told the channels each time); the row says it to everyone else.
-- Locks the worker's row for the length of the call.
create or replace function {schema}.serve(p_worker_id bigint, p_channels text[])
returns table (channel_ids integer[], lane_ids integer[])
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into {schema}.channel as c (name) select u.name from unnest(p_channels) u(name) order by u.name
    on conflict (name) do update set destroyed_at = null where c.destroyed_at is not null;
    update {schema}.worker w set channels = p_channels where w.id = p_worker_id;
    channel_ids := array(select c.id from {schema}.channel c where c.name = any(p_channels));
    lane_ids := array(select l.id from {schema}.lane l where l.channel_id = any(channel_ids));
    return next;
end $$;
