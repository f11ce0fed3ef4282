-- Ties a worker to this session, as an accelerator: when the session ends, so does the lock, and
-- rescue() need not wait for the whole lease. Call it on a direct connection that lives as long as the
-- worker. Nothing rests on it: through a pooler it is not called, and the lease alone decides.
create or replace function {schema}.hold_worker(p_worker_id bigint) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    if not pg_try_advisory_lock({schema}.worker_lock(p_worker_id)) then
        return false;
    end if;
    update {schema}.worker w set is_lock_held = true where w.id = p_worker_id;
    return found;
end $$;
