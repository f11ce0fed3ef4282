-- Sees anew who runs under quotas that were set while jobs ran, and forgets slots whose job runs no more.
-- Part of take_limited(), which holds the quotas.
create or replace function {schema}.recount(p_quota_ids integer[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    delete from {schema}.slot s
    where s.quota_id = any(p_quota_ids)
        and not exists (select from {schema}.running r where r.job_id = s.job_id);
    if exists (
        select from {schema}.quota q
        where q.id = any(p_quota_ids) and q.is_recount_due and q.opens_at <= clock_timestamp())
    then
        insert into {schema}.slot (quota_id, job_id)
        select q.id, r.job_id
        from {schema}.quota q
        join {schema}.lane l on l.channel_id = q.channel_id or l.definition_id = q.definition_id
        join {schema}.running r on r.lane_id = l.id
        where q.id = any(p_quota_ids) and q.is_recount_due and q.concurrency is not null
        on conflict do nothing;
        update {schema}.quota q set is_recount_due = false
        where q.id = any(p_quota_ids) and q.is_recount_due and q.opens_at <= clock_timestamp();
    end if;
end $$;
