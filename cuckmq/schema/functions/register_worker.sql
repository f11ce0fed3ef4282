-- A worker appears: returns the id of this incarnation, and the ids of the channels it named.
--
-- From now on it must beat within its lease, or rescue() takes its jobs away.
create or replace function {schema}.register_worker(
    p_name text,
    p_host text,
    p_pid integer,
    p_version text,
    p_concurrency integer,
    p_channels text[],
    p_lease_secs double precision
) returns table (worker_id bigint, channel_ids integer[])
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into {schema}.channel as c (name) select u.name from unnest(p_channels) u(name) order by u.name
    on conflict (name) do update set destroyed_at = null where c.destroyed_at is not null;
    insert into {schema}.worker as w (id, name, host, pid, version, concurrency, channels, lease_secs)
    overriding system value
    values ({schema}.id_base() + nextval('{schema}.worker_id_seq'),
        p_name, p_host, p_pid, p_version, p_concurrency, p_channels, p_lease_secs)
    returning w.id into worker_id;
    if p_channels is not null then
        channel_ids := array(select c.id from {schema}.channel c where c.name = any(p_channels));
    end if;
    return next;
end $$;
