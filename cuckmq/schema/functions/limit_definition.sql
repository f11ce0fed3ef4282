-- Sets the limits of a definition, instead of those it had: how many of its jobs run at once, and how many
-- are taken within any p_rate_secs. Null is no limit.
--
-- A definition that was never limited shares lanes with others. It gets lanes of its own now, and its jobs
-- move there, which takes time in proportion to the backlog. Jobs that are being put in at this very moment,
-- by transactions that have not committed, stay where they were and are not limited; a definition that is
-- deployed with limits from the beginning has none of those.
--
-- Errors: CQ404 for an unknown definition, CQ003 for a value out of range. Locks the definition's row, its
-- entries if they move, then as put_quota() does.
create or replace function {schema}.limit_definition(
    p_name text,
    p_concurrency integer default null,
    p_rate integer default null,
    p_rate_secs double precision default null
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_id integer;
    v_lane record;
    v_own_lane_id integer;
begin
    select d.id into v_id from {schema}.job_definition d where d.name = p_name for no key update;
    if not found then
        raise exception 'there is no job definition "%"', p_name
        using errcode = 'CQ404', hint = 'deploy it first: await definition.deploy()';
    end if;
    if coalesce(p_concurrency, p_rate) is not null then
        for v_lane in
            select l.id, c.name, l.priority from {schema}.lane l join {schema}.channel c on c.id = l.channel_id
            where l.definition_id = 0 and (
                l.id = (select d.lane_id from {schema}.job_definition d where d.id = v_id)
                or l.id in (
                    select r.lane_id from {schema}.ready r where r.definition_id = v_id
                    union all select s.lane_id from {schema}.scheduled s where s.definition_id = v_id
                    union all select w.lane_id from {schema}.waiting w where w.definition_id = v_id
                    union all select r.lane_id from {schema}.running r where r.definition_id = v_id
                    union all select j.lane_id from {schema}.blocked b join {schema}.job j on j.id = b.job_id
                    where j.definition_id = v_id))
        loop
            v_own_lane_id := {schema}.lane_for(v_lane.name, v_lane.priority, v_id);
            perform {schema}.move_jobs(v_id, v_lane.id, v_own_lane_id);
            update {schema}.job_definition d set lane_id = v_own_lane_id where d.id = v_id and d.lane_id = v_lane.id;
        end loop;
    end if;
    perform {schema}.put_quota(null, v_id, p_concurrency, p_rate, p_rate_secs);
    perform {schema}.wake(l.channel_id) from {schema}.lane l where l.definition_id = v_id group by l.channel_id;
end $$;
