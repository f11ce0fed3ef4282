-- Takes a worker for dead now, whatever its lease says, and its jobs away from it, counted as stalls.
--
-- The worker, should it live, learns of it as any that was taken for dead: its next claim or beat says so;
-- it lets go of what it runs and registers anew. Returns what reap() does, for whoever is dead by now.
-- It waits for a claim of the worker that is about to commit, and any later one fails, so nothing is claimed
-- past it. Locks as reap() does, but the worker's row before the others. Call it in a transaction of its own.
-- Errors: CQ406 for a worker that is not there.
create or replace function {schema}.evict(
    p_worker_id bigint,
    p_job_group_unlock_secs double precision default 10800
) returns table (worker_id bigint, name text, job_id bigint, verdict text, definition text, reason text)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    perform pg_advisory_xact_lock(hashtextextended('{schema_name}:rescue', 0));
    perform 1 from {schema}.worker w where w.id = p_worker_id for update;
    if not found then
        raise exception 'there is no worker %', p_worker_id
        using errcode = 'CQ406', hint = 'it stopped, or was taken for dead; the table worker tells who runs';
    end if;
    perform {schema}.mark_lost(array[p_worker_id]);
    -- Of the others, only those whose lease is over: how often they beat is not known here.
    return query select * from {schema}.reap(p_job_group_unlock_secs, 'infinity');
end $$;
