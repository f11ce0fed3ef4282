-- Ends a subscription; returns its id, or no row when it had ended.
create or replace function {schema}.unsubscribe(p_subscription_id bigint) returns setof bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    return query delete from {schema}.subscription s where s.id = p_subscription_id returning s.id;
end $$;
