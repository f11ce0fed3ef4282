-- Destroys a channel if nothing is left in it, and tells its workers; otherwise tells which jobs run there.
--
-- A destroyed channel is listed no more. Its row stays for as long as history names it (forget_channels), and
-- for the sake of an enqueue that comes at this very moment: its job lies in a lane that is there. Whoever
-- names the channel afterwards, to put something in, to deploy or to serve, has it back, empty.
-- Errors: CQ405 for an unknown channel, CQ407 for one into which deployed definitions put their jobs.
-- Locks the channel's row.
create or replace function {schema}.destroy_channel(p_channel text)
returns table (is_destroyed boolean, running_job_ids bigint[])
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
declare
    v_channel_id integer;
    v_lane_ids integer[];
    v_definitions text;
begin
    select c.id into v_channel_id
    from {schema}.channel c where c.name = p_channel and c.destroyed_at is null for update;
    if not found then
        raise exception 'there is no channel "%"', p_channel
        using errcode = 'CQ405', hint = 'a channel is there once a definition, a job or a worker has named it';
    end if;
    v_lane_ids := {schema}.lanes_of(p_channel);
    select string_agg(d.name, ', ' order by d.name) into v_definitions
    from {schema}.job_definition d where d.lane_id = any(v_lane_ids) and d.undeployed_at is null;
    if v_definitions is not null then
        raise exception 'the channel "%" is where these put their jobs: %', p_channel, v_definitions
        using errcode = 'CQ407', hint = 'undeploy them, or deploy them with another channel, and try again';
    end if;

    running_job_ids := array(
        select r.job_id from {schema}.running r where r.lane_id = any(v_lane_ids) order by r.job_id);
    is_destroyed := running_job_ids = '{}'
        and not exists (
            select from {schema}.ready r where r.lane_id = any(v_lane_ids) and r.job_id is not null)
        and not exists (
            select from {schema}.scheduled s where s.lane_id = any(v_lane_ids) and s.job_id is not null)
        and not exists (select from {schema}.waiting w where w.lane_id = any(v_lane_ids))
        and not exists (
            select from {schema}.blocked b join {schema}.job j on j.id = b.job_id
            where j.lane_id = any(v_lane_ids));
    if is_destroyed then
        update {schema}.channel c set destroyed_at = clock_timestamp(), is_paused = false, max_size = null
        where c.id = v_channel_id;
        update {schema}.lane l set is_paused = false where l.channel_id = v_channel_id and l.is_paused;
        perform {schema}.put_quota(v_channel_id, null, null, null, null);
        perform pg_notify('cuckmq.{schema_name}', 'destroyed ' || v_channel_id);
    end if;
    return next;
end $$;
