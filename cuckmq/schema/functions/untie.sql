-- Lets go of what hangs on a tied job: at its end, and when it is forgotten. So no ending needs a case for it.
--
-- At its end it gives its unique key back, in that very transaction and neither sooner nor later; and it expires no
-- more. When it is forgotten its key and its progress go as well. Untied jobs never come here: the triggers'
-- condition is one look at a boolean of the row.
-- Locks the job's row in `unique_key`, which nobody but the job's own mover asks for; except when its time is
-- over, and somebody else is taking the key. That row is passed over here, and purge() finds it later.
create or replace function {schema}.untie() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
begin
    if tg_op = 'INSERT' then
        -- Conditions in words that fit no partial index: by old plans all that is held, or expires, would be walked.
        update {schema}.unique_key k set is_held = false
        where k.job_id = new.job_id and case when k.is_held then k.scope in ('queued', 'live') end;
        update {schema}.job j set expires_at = null where j.id = new.job_id and num_nonnulls(j.expires_at) = 1;
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

create or replace trigger untie after insert on {schema}.finalized
    for each row when (new.is_tied) execute function {schema}.untie();
create or replace trigger untie after delete on {schema}.job
    for each row when (old.is_tied) execute function {schema}.untie();
