-- Begins a subscription to events of these kinds (null for all), or renews one, for p_secs. Returns its id, and
-- that of the last event there is: those that come after it are the subscriber's.
--
-- One that has expired meanwhile is begun anew, under a new id. Who publishes is told that somebody listens.
create or replace function {schema}.subscribe(p_subscription_id bigint, p_kinds text[], p_secs double precision)
returns table (subscription_id bigint, last_event_id bigint)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    update {schema}.subscription s set expires_at = clock_timestamp() + p_secs * interval '1 second'
    where s.id = p_subscription_id returning s.id into subscription_id;
    if not found then
        insert into {schema}.subscription (kinds, expires_at)
        values (p_kinds, clock_timestamp() + p_secs * interval '1 second') returning id into subscription_id;
        perform pg_notify('cuckmq.{schema_name}', 'subscribed ' || subscription_id);
    end if;
    last_event_id := (select coalesce(max(e.id), 0) from {schema}.event e);
    return next;
end $$;
