-- Looks whether blocked jobs still have to wait, and acts on those that have not: they get their place, or end
-- as their policy says because one that they waited for did not succeed. Returns those that ended.
--
-- Two jobs that the same one waits for may end at the same moment, in two transactions of which neither sees
-- the other. If both looked, both would find the other still open, and nobody would open the third. So who
-- looks first takes the one that waits in hand (hold_blocked), and looks in a later statement, with a fresh
-- snapshot: the second gets hold of it when the first has committed, and sees what that has done. Those who
-- end jobs that different ones wait for have nothing to do with each other.
--
-- A blocked job that somebody keeps in hand is passed over after a moment. It is being cancelled or expires, as
-- a rule; and if it is not, unblock_stragglers() finds it.
--
-- A job that ends here may have others waiting for it, and so on; that is done in rounds, not by recursion, so a
-- chain may be of any length. From the second round on nothing is waited for, since what is in hand by then may
-- come after it in the order of ids.
--
-- One that it waits for may be gone without a trace, when its history was not to be kept and the dependency was
-- not committed yet when it ended. Then it is taken to have ended in the way that is forgotten sooner (see
-- need()).
--
-- Locks: as hold_blocked() does.
create or replace function {schema}.unblock(p_job_ids bigint[])
returns table (job_id bigint, definition text, state text)
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_job_ids bigint[] := {schema}.hold_blocked(p_job_ids);
    v_free bigint[];
    v_failed bigint[];
    v_cancelled bigint[];
    v_ended bigint[];
    v_seen_ids bigint[];
begin
    while v_job_ids <> '{}' loop
        with need as (
            select b.job_id, b.policy, d.needs_id, j.id is not null and f.job_id is null as is_open,
                (j.id is null or f.job_id is not null) and d.needs_id is not null and b.policy <> 'run'
                    and coalesce(f.state <> 'succeeded', not d.is_success_forgotten) as is_spoiled
            from {schema}.blocked b
            left join lateral (select x.* from {schema}.dependency x where x.job_id = b.job_id offset 0) d on true
            left join lateral (select x.id from {schema}.job x where x.id = d.needs_id offset 0) j on true
            left join lateral (
                select x.job_id, x.state from {schema}.finalized x where x.job_id = d.needs_id offset 0) f on true
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
            coalesce(array_agg(x.job_id) filter (where x.fate = 'cancel'), '{}'),
            array(select n.needs_id from need n where not n.is_open)
        into v_free, v_failed, v_cancelled, v_seen_ids from fate x;
        v_ended := v_failed || v_cancelled;

        -- Of the others only what was seen to have ended: more may have by now, and not well.
        delete from {schema}.dependency d
        where d.job_id = any(v_free || v_ended)
            or d.job_id = any(v_job_ids) and d.needs_id = any(v_seen_ids);
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
            select j.id from {schema}.job j join {schema}.blocked b on b.job_id = j.id
            where j.id in (select d.job_id from {schema}.dependency d where d.needs_id = any(v_ended))
            for update skip locked);
    end loop;
end $$;
