-- Whether a stored payload says the same as a value, whatever its spaces and the order of its keys.
--
-- `json` holds what `jsonb` refuses (\u0000, a number beyond all measure). Such a payload equals nothing,
-- rather than failing the search that comes across it.
create or replace function {schema}.is_same_json(p_payload json, p_value jsonb) returns boolean
language plpgsql immutable strict
set search_path = pg_catalog, pg_temp
as $$
begin
    return p_payload::jsonb = p_value;
exception when data_exception or program_limit_exceeded then
    return false;
end $$;
