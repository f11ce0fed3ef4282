-- Sets what may be taken from the lanes of a channel, or else of a definition; nothing given ends the limit.
--
-- Who runs already counts: the jobs found running get slots. Claims that are under way at this moment, and
-- saw no limit yet, are waited out: lanes that were free until now stay shut for a second, which no claim
-- lasts, and the first claim after that sees anew who runs.
--
-- Locks the quota's row, then the lanes'. claim() locks quotas before anything else, so a claim waits here or
-- is waited for, and no two wait for each other.
create or replace function {schema}.put_quota(
    p_channel_id integer,
    p_definition_id integer,
    p_concurrency integer,
    p_rate integer,
    p_rate_secs double precision
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_quota_id integer;
    v_was_free boolean;
begin
    if p_concurrency < 1 or p_rate < 1 or p_rate_secs <= 0 or p_rate_secs > 1e7
        or (p_rate is null) <> (p_rate_secs is null)
    then
        raise exception 'a limit of % at once, % within % s cannot be', p_concurrency, p_rate, p_rate_secs
        using errcode = 'CQ003', hint = 'limits are at least 1; a rate needs its seconds, up to 1e7';
    end if;
    if coalesce(p_concurrency, p_rate) is null then
        delete from {schema}.quota q where q.channel_id = p_channel_id or q.definition_id = p_definition_id;
    else
        insert into {schema}.quota (channel_id, definition_id, concurrency, rate, rate_secs)
        values (p_channel_id, p_definition_id, p_concurrency, p_rate, p_rate_secs)
        on conflict do nothing;
        select q.id into v_quota_id from {schema}.quota q
        where q.channel_id = p_channel_id or q.definition_id = p_definition_id for update;
        v_was_free := exists (
            select from {schema}.lane l
            where not l.is_limited and (l.channel_id = p_channel_id or l.definition_id = p_definition_id)
                and (exists (select from {schema}.ready r where r.lane_id = l.id)
                    or exists (select from {schema}.running r where r.lane_id = l.id)));
        update {schema}.quota q
        set concurrency = p_concurrency, rate = p_rate, rate_secs = p_rate_secs,
            is_recount_due = q.is_recount_due or v_was_free,
            opens_at = case
                when v_was_free then clock_timestamp() + interval '1 second'
                when q.is_recount_due then q.opens_at
                else '-infinity'
            end
        where q.id = v_quota_id;
    end if;
    update {schema}.lane l
    set is_limited = exists (
        select from {schema}.quota q where q.channel_id = l.channel_id or q.definition_id = l.definition_id)
    where l.channel_id = p_channel_id or l.definition_id = p_definition_id;
end $$;
