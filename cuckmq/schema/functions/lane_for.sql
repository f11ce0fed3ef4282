-- The lane of a channel at a priority, made if it is not there yet, or was destroyed. p_definition_id asks for
-- a lane of that definition's own; 0 for the one that definitions share.
--
-- Locks: nothing when the lane exists, which is the rule; otherwise the channel's row, shared, so that
-- nobody pauses or limits the channel while a lane of it comes into being; and the new row. Two sessions that
-- make the same lane wait for each other and end with the same one.
create or replace function {schema}.lane_for(
    p_channel text, p_priority integer, p_definition_id integer default 0
) returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_lane_id integer;
begin
    loop
        select l.id into v_lane_id
        from {schema}.lane l join {schema}.channel c on c.id = l.channel_id
        where c.name = p_channel and l.priority = p_priority and l.definition_id = p_definition_id
            and c.destroyed_at is null;
        if found then
            return v_lane_id;
        end if;
        insert into {schema}.channel as c (name) values (p_channel)
        on conflict (name) do update set destroyed_at = null where c.destroyed_at is not null;
        perform 1 from {schema}.channel c where c.name = p_channel for share;
        insert into {schema}.lane (channel_id, priority, definition_id, is_paused, is_limited)
        select c.id, p_priority, p_definition_id, c.is_paused, exists (
            select from {schema}.quota q where q.channel_id = c.id or q.definition_id = p_definition_id)
        from {schema}.channel c where c.name = p_channel
        on conflict do nothing;
    end loop;
end $$;
