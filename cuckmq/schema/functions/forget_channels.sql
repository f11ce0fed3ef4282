-- Forgets channels that were destroyed before that moment and of which no job remains, with their lanes.
-- Called by purge() when it has nothing else to do. Who names one at this moment waits, and makes it anew.
create or replace function {schema}.forget_channels(p_before timestamptz) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_channel_ids integer[];
    v_lane_ids integer[];
begin
    v_channel_ids := array(
        select c.id from {schema}.channel c where c.destroyed_at < p_before for update skip locked);
    if v_channel_ids = '{}' then
        return;
    end if;
    v_lane_ids := array(
        select l.id from {schema}.lane l where l.channel_id = any(v_channel_ids)
            and not exists (select from {schema}.job j where j.lane_id = l.id)
            and not exists (select from {schema}.job_definition d where d.lane_id = l.id));
    delete from {schema}.ready r where r.lane_id = any(v_lane_ids) and r.job_id is null;
    delete from {schema}.scheduled s where s.lane_id = any(v_lane_ids) and s.job_id is null;
    delete from {schema}.lane l where l.id = any(v_lane_ids);
    delete from {schema}.channel c
    where c.id = any(v_channel_ids) and not exists (select from {schema}.lane l where l.channel_id = c.id);
end $$;
