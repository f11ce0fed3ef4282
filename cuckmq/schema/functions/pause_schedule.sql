-- Pauses a schedule, or lets it go on from p_next_at (from its next slot as it stands, when that is null).
-- Returns whether there is such a schedule. Locks its row to the end; waits for a tick that has it in hand.
create or replace function {schema}.pause_schedule(p_name text, p_is_paused boolean, p_next_at timestamptz)
returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    update {schema}.schedule s
    set is_paused = p_is_paused,
        next_at = case when s.is_paused and not p_is_paused then coalesce(p_next_at, s.next_at) else s.next_at end
    where s.name = p_name;
    return found;
end $$;
