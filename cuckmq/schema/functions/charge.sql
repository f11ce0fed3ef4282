-- Charges claimed jobs to the quotas of their lanes: a slot for each where only so many may run at once, and
-- the moment where only so many may be taken within a span. A span that is used up says from when on
-- something may be taken again. Part of claim(), which holds the quotas.
create or replace function {schema}.charge(p_job_ids bigint[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_quota record;
    v_step_secs double precision;
    v_at timestamptz;
    v_ats timestamptz[];
    v_counts integer[];
begin
    insert into {schema}.slot (quota_id, job_id)
    select q.id, j.id
    from {schema}.job j
    join {schema}.lane l on l.id = j.lane_id and l.is_limited
    join {schema}.quota q on q.channel_id = l.channel_id or q.definition_id = l.definition_id
    where j.id = any(p_job_ids) and q.concurrency is not null
    on conflict do nothing;

    for v_quota in
        select q.id, q.rate, q.rate_secs, q.taken_ats, q.taken_counts, count(*)::integer as num
        from {schema}.job j
        join {schema}.lane l on l.id = j.lane_id and l.is_limited
        join {schema}.quota q on q.channel_id = l.channel_id or q.definition_id = l.definition_id
        where j.id = any(p_job_ids) and q.rate is not null
        group by q.id
    loop
        v_step_secs := v_quota.rate_secs / 200;
        v_at := to_timestamp(ceil(extract(epoch from clock_timestamp())::double precision / v_step_secs) * v_step_secs);
        select array_agg(t.at order by t.at), array_agg(t.num order by t.at) into v_ats, v_counts
        from (
            select u.at, sum(u.num)::integer as num
            from unnest(v_quota.taken_ats || v_at, v_quota.taken_counts || v_quota.num) u(at, num)
            where u.at > clock_timestamp() - v_quota.rate_secs * interval '1 second'
            group by u.at
        ) t;
        update {schema}.quota q
        set taken_ats = v_ats, taken_counts = v_counts,
            opens_at = case
                when (select sum(u.num) from unnest(v_counts) u(num)) >= v_quota.rate
                    then v_ats[1] + v_quota.rate_secs * interval '1 second'
                else '-infinity'
            end
        where q.id = v_quota.id;
    end loop;
end $$;
