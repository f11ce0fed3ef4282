-- Adds two histograms, bucket by bucket; a shorter one counts nothing in the rest.
create or replace function {schema}.add_histograms(p_one bigint[], p_other bigint[]) returns bigint[]
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select array_agg(coalesce(u.a, 0) + coalesce(u.b, 0) order by u.place)
    from unnest(p_one, p_other) with ordinality u(a, b, place)
$$;
