-- Removes a schedule that was added at run time, and tells whether there was one. Jobs it has put in stay.
--
-- Errors: CQ003 for one that its definition declares: its next deployment would bring it back.
-- Waits for a tick that has the row in hand; no tick after it puts in anything.
create or replace function {schema}.remove_schedule(p_name text) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_is_declared boolean;
begin
    select s.is_declared into v_is_declared from {schema}.schedule s where s.name = p_name for update;
    if v_is_declared then
        raise exception 'schedule "%" is declared by its definition', p_name
        using errcode = 'CQ003', hint = 'pause it, or take cron or repeat_secs from the definition and deploy it';
    end if;
    delete from {schema}.schedule s where s.name = p_name;
    return found;
end $$;
