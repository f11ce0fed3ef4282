-- Takes a definition out of service: its schedules end, and nothing more can be enqueued for it.
--
-- Jobs that are there already stay and are still run by workers that know the name. purge() forgets
-- the definition once no job bears its name. Returns false when there was nothing to undeploy.
-- Locks the definition's row, then its schedules', as deploy() does.
create or replace function {schema}.undeploy(p_name text) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_is_undeployed boolean;
begin
    update {schema}.job_definition d set undeployed_at = clock_timestamp()
    where d.name = p_name and d.undeployed_at is null;
    v_is_undeployed := found;
    delete from {schema}.schedule s using {schema}.job_definition d
    where d.name = p_name and s.definition_id = d.id;
    return v_is_undeployed;
end $$;
