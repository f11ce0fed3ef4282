-- The lanes of a channel, at all its priorities; none for a channel that nobody has put anything in.
-- Errors: CQ405 for an unknown channel.
create or replace function {schema}.lanes_of(p_channel text) returns integer[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_channel_id integer;
begin
    select c.id into v_channel_id from {schema}.channel c where c.name = p_channel;
    if not found then
        raise exception 'there is no channel "%"', p_channel
        using errcode = 'CQ405', hint = 'a channel is there once a definition, a job or a worker has named it';
    end if;
    return array(select l.id from {schema}.lane l where l.channel_id = v_channel_id);
end $$;
