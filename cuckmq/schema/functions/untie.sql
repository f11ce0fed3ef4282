-- Lets go of what hangs on a tied job when its row goes, whoever takes it: out of `job` when it ends, out
-- of `finalized_job` when it is forgotten or retried. So no ending needs a case for it.
--
-- It fires when the statement is done that moved the job, and looks where that has put it. Untied jobs
-- never come here: the trigger's condition is one look at a boolean of the row that is deleted.
-- A key is given back in the transaction that ends its job, neither sooner nor later.
-- Locks the job's row in `unique_key`, which nobody but the job's own mover asks for; except when its time is
-- over, and somebody else is taking the key. That row is passed over here, and purge() finds it later.
create or replace function {schema}.untie() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
begin
    if exists (select from {schema}.job j where j.id = old.id) then
        null;
    elsif exists (select from {schema}.finalized_job f where f.id = old.id) then
        update {schema}.unique_key k set is_held = false
        where k.job_id = old.id and k.is_held and k.scope in ('queued', 'live');
    else
        delete from {schema}.unique_key k where k.ctid = any(array(
            select x.ctid from {schema}.unique_key x
            where x.job_id = old.id
                and (not x.is_held or x.held_until is null or x.held_until <= clock_timestamp())
            for update skip locked));
        delete from {schema}.progress p where p.job_id = old.id;
    end if;
    return null;
end $$;

create or replace trigger untie after delete on {schema}.job
    for each row when (old.is_tied) execute function {schema}.untie();
create or replace trigger untie after delete on {schema}.finalized_job
    for each row when (old.is_tied) execute function {schema}.untie();
