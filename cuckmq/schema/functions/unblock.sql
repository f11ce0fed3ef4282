-- Looks whether blocked jobs still have to wait, and acts on those that have not: they get their place, or end
-- as their policy says because one that they waited for did not succeed. Returns those that ended.
--
-- Two jobs that the same one waits for may end at the same moment, in two transactions of which neither sees
-- the other. If both looked, both would find the other still open, and nobody would open the third. So looks
-- go one after the other, under a lock that is held to the end of the transaction: the second sees what the
-- first has done. Only those who end a job that somebody waits for come here.
--
-- With that lock held nothing is waited for: a blocked job that somebody has in hand is passed over. It is being
-- cancelled or expires; and if that is rolled back, unblock_stragglers() finds it. So no deadlock can be.
--
-- A job that ends here may have others waiting for it, and so on; that is done in rounds, not by recursion, so a
-- chain may be of any length.
--
-- Locks: the lock of dependencies, waiting; then the jobs.
create or replace function {schema}.unblock(p_job_ids bigint[])
returns table (job_id bigint, definition text, state text)
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    v_job_ids bigint[] := p_job_ids;
    v_free bigint[];
    v_failed bigint[];
    v_cancelled bigint[];
    v_ended bigint[];
begin
    perform pg_advisory_xact_lock(hashtextextended('{schema_name}:dependency', 0));
    while v_job_ids <> '{}' loop
        v_job_ids := array(
            select j.id from {schema}.job j join {schema}.blocked b on b.job_id = j.id
            where j.id = any(v_job_ids) for update skip locked);

        with need as (
            select b.job_id, b.policy, j.id is not null as is_open,
                j.id is null and d.needs_id is not null and b.policy <> 'run'
                    and f.state is distinct from 'succeeded' as is_spoiled
            from {schema}.blocked b
            left join {schema}.dependency d on d.job_id = b.job_id
            left join {schema}.job j on j.id = d.needs_id
            left join {schema}.finalized_job f on f.id = d.needs_id
            where b.job_id = any(v_job_ids)
        ), fate as (
            select n.job_id, case
                when bool_or(n.is_spoiled) then min(n.policy)
                when not bool_or(n.is_open) then 'run'
            end as fate
            from need n group by n.job_id
        )
        select coalesce(array_agg(x.job_id) filter (where x.fate = 'run'), '{}'),
            coalesce(array_agg(x.job_id) filter (where x.fate = 'fail'), '{}'),
            coalesce(array_agg(x.job_id) filter (where x.fate = 'cancel'), '{}')
        into v_free, v_failed, v_cancelled from fate x;
        v_ended := v_failed || v_cancelled;

        delete from {schema}.dependency d
        where d.job_id = any(v_free || v_ended)
            or d.job_id = any(v_job_ids) and not exists (select from {schema}.job j where j.id = d.needs_id);
        delete from {schema}.blocked b where b.job_id = any(v_free || v_ended);
        perform {schema}.place(v_free);

        exit when v_ended = '{}';
        return query
        select j.id, d.name, case when j.id = any(v_failed) then 'failed' else 'cancelled' end
        from {schema}.job j join {schema}.job_definition d on d.id = j.definition_id where j.id = any(v_ended);
        perform {schema}.file_away(
            v_ended,
            array_fill('failed'::text, array[cardinality(v_failed)])
                || array_fill('cancelled'::text, array[cardinality(v_cancelled)]),
            array_fill('dependency_failed'::text, array[cardinality(v_failed)]),
            '{}', array_fill(0, array[cardinality(v_ended)]), '{}', '{}');
        v_job_ids := array(
            select distinct d.job_id from {schema}.dependency d where d.needs_id = any(v_ended));
    end loop;
end $$;
