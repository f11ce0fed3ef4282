-- Puts claimed jobs back where they stood, which is before all that came later: their run_at is as it
-- was. The caller has taken their `running` rows away. A grouped job goes back into its line; the turn
-- for it comes when its group is released (release_groups).
--
-- A job that has stalled twice, or may stall no more, goes back as a suspect.
create or replace function {schema}.put_back(p_job_ids bigint[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
as $$
begin
    with back as (
        select j.id, j.lane_id, j.definition_id, j.run_at, {schema}.group_hash(j.job_group) as group_hash,
            {schema}.is_suspect(j.stall_count, j.num_stalls) as is_suspect
        from {schema}.job j where j.id = any(p_job_ids)
    ), lined_up as (
        insert into {schema}.waiting (group_hash, lane_id, definition_id, job_id)
        select b.group_hash, b.lane_id, b.definition_id, b.id from back b where b.group_hash is not null
    )
    insert into {schema}.ready (lane_id, definition_id, run_at, job_id, is_suspect)
    select b.lane_id, b.definition_id, b.run_at, b.id, b.is_suspect from back b where b.group_hash is null;
end $$;
