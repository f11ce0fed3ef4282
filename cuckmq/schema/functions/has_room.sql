-- Whether so many jobs more may be put into the channel of a lane, and that they will be, as far as the
-- caller is concerned: who asks for a channel with a size holds the channel's row until the end of the
-- transaction, so that producers are counted one after the other.
--
-- Counts what stands in the channel: queued, scheduled, and in line; not what runs. It counts no further
-- than the size. A channel without a size costs its callers this look at its row, and no lock.
create or replace function {schema}.has_room(p_lane_id integer, p_num integer) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
set enable_bitmapscan = off
as $$
declare
    v_channel record;
    v_num integer;
begin
    select c.id, c.max_size into v_channel
    from {schema}.lane l join {schema}.channel c on c.id = l.channel_id where l.id = p_lane_id;
    if v_channel.max_size is null then
        return true;
    end if;
    perform 1 from {schema}.channel c where c.id = v_channel.id for no key update;
    select count(*) into v_num from (
        select from {schema}.lane l cross join lateral (
            select from {schema}.ready r where r.lane_id = l.id and r.job_id is not null
            union all
            select from {schema}.scheduled s where s.lane_id = l.id and s.job_id is not null
            union all
            select from generate_series(1, {schema}.count_line(l.id, v_channel.max_size))
        ) e
        where l.channel_id = v_channel.id limit v_channel.max_size
    ) x;
    return v_num + p_num <= v_channel.max_size;
end $$;
