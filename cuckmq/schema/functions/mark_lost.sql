-- Marks workers as lost, which is final, and notes when. Returns those that were not lost before.
-- Locks the workers' rows, which the caller holds.
create or replace function {schema}.mark_lost(p_worker_ids bigint[]) returns setof bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    with marked as (
        update {schema}.worker w set is_lost = true where w.id = any(p_worker_ids) and not w.is_lost
        returning w.id, w.name
    )
    insert into {schema}.worker_loss (worker_id, name) select m.id, m.name from marked m
    returning worker_loss.worker_id;
end $$;
