-- The id of a channel. Errors: CQ405 for an unknown one.
create or replace function {schema}.channel_of(p_channel text) returns integer
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_channel_id integer := (select c.id from {schema}.channel c where c.name = p_channel and c.destroyed_at is null);
begin
    if v_channel_id is null then
        raise exception 'there is no channel "%"', p_channel
        using errcode = 'CQ405', hint = 'a channel is there once a definition, a job or a worker has named it';
    end if;
    return v_channel_id;
end $$;
