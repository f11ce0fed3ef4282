-- Sets the limits of a channel, instead of those it had: how many of its jobs run at once, how many are
-- taken within any p_rate_secs, and how many may stand in it (see has_room). Null is no limit.
--
-- Errors: CQ405 for an unknown channel, CQ003 for a value out of range. Locks the channel's row, then as
-- put_quota() does.
create or replace function {schema}.limit_channel(
    p_channel text,
    p_concurrency integer default null,
    p_rate integer default null,
    p_rate_secs double precision default null,
    p_max_size integer default null
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_channel_id integer := {schema}.channel_of(p_channel);
begin
    if p_max_size < 1 then
        raise exception 'a channel holds at least one job, not %', p_max_size using errcode = 'CQ003';
    end if;
    update {schema}.channel c set max_size = p_max_size where c.id = v_channel_id;
    perform {schema}.put_quota(v_channel_id, null, p_concurrency, p_rate, p_rate_secs);
    perform {schema}.wake(v_channel_id);
end $$;
