-- Puts back what a worker holds but does not know of, with no try counted.
--
-- A worker that lost its connection in the middle of an exchange cannot know whether its claim was
-- made. Before it claims again it names the jobs it does have; all others of its own go back, and so
-- do groups it holds a lease of without a job in hand. Called with no jobs by a worker that stops.
-- It waits for a claim of the worker that is about to commit, and makes one that has not come so far
-- fail: the worker gives the recall a number, its exchanges say which they know of, and one that comes late knows of
-- an earlier one. So nothing is claimed unheard after this. Without a number it is the next.
-- A job of which a cancellation was asked is cancelled and not put back.
-- The jobs put back are others' to take: their channels are woken.
-- Returns the jobs put back. Locks the worker's row, then as settle() does.
create or replace function {schema}.recall(
    p_worker_id bigint, p_kept_job_ids bigint[], p_num_recalls integer default null
) returns bigint[]
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
declare
    v_taken record;
    v_job_ids bigint[];
    v_suspects bigint[];
begin
    perform 1 from {schema}.worker w where w.id = p_worker_id for update;
    update {schema}.worker w set num_recalls = coalesce(p_num_recalls, w.num_recalls + 1)
    where w.id = p_worker_id;

    -- In a statement of its own, so that the next sees each cancellation that came before it.
    perform 1 from {schema}.job j where j.id = any(array(
        select r.job_id from {schema}.running r
        where r.worker_id = p_worker_id and not r.job_id = any(p_kept_job_ids)))
    order by j.id for no key update;
    with unknown as (
        delete from {schema}.running r
        where r.worker_id = p_worker_id and not r.job_id = any(p_kept_job_ids)
        returning r.job_id, r.attempt, r.claimed_at, exists (
            select from {schema}.cancellation c
            where c.job_id = r.job_id and c.attempt = r.attempt) as is_cancel_requested
    )
    select coalesce(array_agg(u.job_id) filter (where not u.is_cancel_requested), '{}') as job_ids,
        array_agg(u.job_id) filter (where u.is_cancel_requested) as cancelled,
        array_agg(u.attempt) filter (where u.is_cancel_requested) as attempts,
        array_agg(u.claimed_at) filter (where u.is_cancel_requested) as claimed_ats
    into v_taken from unknown u;
    v_job_ids := v_taken.job_ids;
    update {schema}.job j set return_count = j.return_count + 1 where j.id = any(v_job_ids);
    perform {schema}.put_back(v_job_ids);
    if v_taken.cancelled is not null then
        perform {schema}.finalize(
            v_taken.cancelled, array_fill('cancelled'::text, array[cardinality(v_taken.cancelled)]), '{}', '{}',
            v_taken.attempts, v_taken.claimed_ats,
            array_fill(p_worker_id, array[cardinality(v_taken.cancelled)]));
    end if;
    v_suspects := array(
        select {schema}.group_hash(j.job_group) from {schema}.job j
        where j.id = any(v_job_ids) and j.job_group is not null
            and {schema}.is_suspect(j.stall_count, j.num_stalls));
    perform {schema}.release_groups(p_worker_id, array(
        select l.seat from {schema}.group_lease l
        where l.worker_id = p_worker_id and not exists (
            select from {schema}.running r where r.group_hash = l.seat)
    ), p_suspect_hashes => v_suspects);
    perform {schema}.wake(c.channel_id) from (
        select distinct l.channel_id from {schema}.lane l
        where l.id = any(array(select j.lane_id from {schema}.job j where j.id = any(v_job_ids)))
    ) c;
    return v_job_ids;
end $$;
