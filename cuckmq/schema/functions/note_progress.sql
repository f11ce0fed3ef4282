-- Writes down what running attempts say of themselves. The arrays run in parallel, one entry for a job.
--
-- A fraction or message of null leaves the one that is there; of p_notes each key replaces the key that is there.
-- Returns a verdict for each:
--   noted     it is written
--   lost      the attempt is not this worker's any more, and nothing was written: the fence of every outcome
--   busy      someone has hold of the job at this very moment: say it again
--   too_long  the notes would come to more than p_max_length characters, and nothing was written
--
-- It waits for nobody, so it can stand in no circle with a settlement, which takes its rows in an order of its
-- own. Locks the jobs' rows, skipping those that are locked, and reads `running` only then, in a later
-- statement: who takes a job away holds one of the two, so nobody else can have taken it up in between.
-- The running rows themselves are not locked, since an attempt inside its own transaction holds its own.
create or replace function {schema}.note_progress(
    p_worker_ids bigint[],
    p_job_ids bigint[],
    p_attempts integer[],
    p_fractions double precision[],
    p_messages text[],
    p_notes text[],
    p_max_length integer default 100000
) returns table (job_id bigint, verdict text)
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_held bigint[] := array(
        select j.id from {schema}.job j where j.id = any(p_job_ids) order by j.id
        for no key update skip locked);
    v_mine bigint[] := array(
        select r.job_id
        from unnest(p_worker_ids, p_job_ids, p_attempts) g(worker_id, job_id, attempt)
        cross join lateral (
            select x.job_id from {schema}.running x
            where x.job_id = g.job_id and x.attempt = g.attempt and x.worker_id = g.worker_id offset 0) r);
    v_noted bigint[];
begin
    with given as (
        select g.*, coalesce(p.notes, '{}') || g.notes::jsonb as merged
        from unnest(p_job_ids, p_fractions, p_messages, p_notes) g(job_id, fraction, message, notes)
        left join lateral (select x.notes from {schema}.progress x where x.job_id = g.job_id offset 0) p on true
        where g.job_id = any(v_held) and g.job_id = any(v_mine)
    ), noted as (
        insert into {schema}.progress as p (job_id, fraction, message, notes)
        select g.job_id, g.fraction, g.message, g.merged from given g
        where g.merged is null or length(g.merged::text) <= p_max_length
        on conflict (job_id) do update set
            fraction = coalesce(excluded.fraction, p.fraction),
            message = coalesce(excluded.message, p.message),
            notes = coalesce(excluded.notes, p.notes),
            updated_at = excluded.updated_at
        returning p.job_id
    )
    select coalesce(array_agg(n.job_id), '{}') into v_noted from noted n;
    update {schema}.job j set is_tied = true where j.id = any(v_noted) and not j.is_tied;

    return query
    select g.id, case
        when g.id = any(v_noted) then 'noted'
        when not g.id = any(v_mine) then 'lost'
        when not g.id = any(v_held) then 'busy'
        else 'too_long'
    end
    from unnest(p_job_ids) g(id);
end $$;
