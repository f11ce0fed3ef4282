-- Moves the jobs of a definition from one lane to another, with their entries. Groups that stand in line
-- there get turns; a turn that was there already, or is left behind, finds an empty line and vanishes.
-- Waits for claims that are taking some of them; what those take stays theirs.
create or replace function {schema}.move_jobs(p_definition_id integer, p_from integer, p_to integer) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    with moved as (
        update {schema}.ready r set lane_id = p_to where r.lane_id = p_from and r.definition_id = p_definition_id
        returning r.job_id
    ), put_off as (
        update {schema}.scheduled s set lane_id = p_to where s.lane_id = p_from and s.definition_id = p_definition_id
        returning s.job_id
    ), lined_up as (
        update {schema}.waiting w set lane_id = p_to where w.lane_id = p_from and w.definition_id = p_definition_id
        returning w.job_id
    ), claimed as (
        update {schema}.running r set lane_id = p_to where r.lane_id = p_from and r.definition_id = p_definition_id
        returning r.job_id
    )
    update {schema}.job j set lane_id = p_to where j.lane_id = p_from and j.id in (
        select m.job_id from moved m union all select p.job_id from put_off p union all select l.job_id from lined_up l
        union all select c.job_id from claimed c union all
        select b.job_id from {schema}.blocked b join {schema}.job x on x.id = b.job_id
        where x.definition_id = p_definition_id);
    insert into {schema}.ready (lane_id, run_at, group_hash)
    select p_to, clock_timestamp(), w.group_hash
    from {schema}.waiting w where w.lane_id = p_to group by w.group_hash;
end $$;
