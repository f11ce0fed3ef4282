-- Lays down events for those who subscribed, and tells them that there are some. The arrays run in parallel.
--
-- Cleans up behind itself: events of more than a minute ago, and subscriptions that nobody renews.
create or replace function {schema}.publish_events(p_kinds text[], p_bodies text[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id_base bigint := {schema}.id_base();
begin
    insert into {schema}.event (id, kind, body)
    select v_id_base + nextval('{schema}.event_id_seq'), u.kind, u.body::json
    from unnest(p_kinds, p_bodies) with ordinality u(kind, body, place) order by u.place;
    perform pg_notify('cuckmq.{schema_name}', 'events 0');
    delete from {schema}.event e where e.ctid = any(array(
        select x.ctid from {schema}.event x
        where x.published_at < clock_timestamp() - interval '1 minute' limit 10000 for update skip locked));
    delete from {schema}.subscription s where s.ctid = any(array(
        select x.ctid from {schema}.subscription x where x.expires_at < clock_timestamp() for update skip locked));
end $$;
