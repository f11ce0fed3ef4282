-- The lane of a channel at a priority, made if it is not there yet, or was destroyed.
--
-- Locks: nothing when the lane exists, which is the rule; otherwise the two new rows. Two sessions that
-- make the same lane wait for each other and end with the same one.
create or replace function {schema}.lane_for(p_channel text, p_priority integer) returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_lane_id integer;
begin
    loop
        select l.id into v_lane_id
        from {schema}.lane l join {schema}.channel c on c.id = l.channel_id
        where c.name = p_channel and l.priority = p_priority and c.destroyed_at is null;
        if found then
            return v_lane_id;
        end if;
        insert into {schema}.channel as c (name) values (p_channel)
        on conflict (name) do update set destroyed_at = null where c.destroyed_at is not null;
        insert into {schema}.lane (channel_id, priority)
        select c.id, p_priority from {schema}.channel c where c.name = p_channel
        on conflict do nothing;
    end loop;
end $$;
