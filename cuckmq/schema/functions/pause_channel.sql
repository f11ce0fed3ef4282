-- Has nobody claim from a channel, or has it claimed from again. What runs goes on, enqueues go on.
--
-- A claim under way at this moment may still take from it. Safe to repeat; returns whether anything changed.
-- Errors: CQ405 for an unknown channel. Locks the channel's row and its lanes'.
create or replace function {schema}.pause_channel(p_channel text, p_is_paused boolean) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_channel_id integer := {schema}.channel_of(p_channel);
begin
    update {schema}.channel c set is_paused = p_is_paused where c.id = v_channel_id and c.is_paused <> p_is_paused;
    if not found then
        return false;
    end if;
    update {schema}.lane l set is_paused = p_is_paused where l.channel_id = v_channel_id;
    if not p_is_paused then
        perform {schema}.wake(v_channel_id);
    end if;
    return true;
end $$;
