-- Gives each of these jobs-to-be an id, and the unique key it asks for. Part of enqueue_many().
--
-- Returns, in the order of the keys: an id for a job that is to be put in, since it asked for no key or
-- now holds it; or, negated, the id of the job that holds the key already.
--
-- What is promised: of one definition and key there is one holder, whoever asks at the same time. The
-- unique index alone decides, and a conflict is no error, so the caller's transaction goes on.
--
-- What may go on beside it, key by key:
--   the holder is not committed yet         the insert waits. Committed: a duplicate. Rolled back: free
--   the holder is ending at this moment     the insert waits. Ended: free. Ending taken back: a duplicate
--   it ended between the insert that met    it is no longer there to be named, and the insert is tried
--   it and the look for its name            again
--   the holder's time is over               it lets go here. Two who see that wait for each other at its
--                                           row, and the second meets the first one's new job
--   two of one call ask for one key         the second is a duplicate of the first
-- A job that is about to end is a holder until its end commits: whoever comes before that is a duplicate.
--
-- Locks: it waits for others at keys that they hold uncommitted, and keeps its own to the end of the
-- transaction, in the order of the keys. So two calls never wait for each other in a circle; two
-- transactions of several calls each may, if they name the same keys in another order.
--
-- Errors: CQ003 for a key or a scope that is none, CQ409 for a duplicate if those are refused, its detail the id of the holder.
create or replace function {schema}.hold_keys(
    p_definition_id integer,
    p_keys text[],
    p_scope text,
    p_for_secs double precision,
    p_is_duplicate_refused boolean
) returns bigint[]
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set jit = off
set enable_bitmapscan = off
as $$
declare
    v_id_base bigint := {schema}.id_base();
    v_ids bigint[];
    v_place integer;
    v_key text;
    v_holder record;
begin
    if not p_scope = any('{queued,live,kept,for}')
            or (p_scope = 'for' and not coalesce(p_for_secs > 0 and p_for_secs <= 1e10, false)) then
        raise exception 'a key cannot be unique in scope "%" (for % s)', p_scope, p_for_secs
        using errcode = 'CQ003', hint = 'take queued, live or kept; or for, with unique_for_secs up to 1e10';
    elsif exists (select from unnest(p_keys) u(key) where not length(u.key) between 1 and 500) then
        raise exception 'a unique key has from 1 to 500 characters' using errcode = 'CQ003';
    end if;
    -- All ids first, so that they follow the payloads: in a group's line the id is the place.
    v_ids := array(select v_id_base + nextval('{schema}.job_id_seq') from generate_series(1, cardinality(p_keys)));
    for v_place, v_key in
        select u.place, u.key from unnest(p_keys) with ordinality u(key, place)
        where u.key is not null order by u.key collate "C", u.place
    loop
        loop
            insert into {schema}.unique_key (job_id, definition_id, key, scope, held_until)
            values (v_ids[v_place], p_definition_id, v_key, p_scope,
                case when p_scope = 'for' then clock_timestamp() + p_for_secs * interval '1 second' end)
            on conflict (definition_id, key) where is_held do nothing;
            exit when found;
            select k.job_id, k.held_until <= clock_timestamp() as is_over into v_holder from {schema}.unique_key k
            where k.definition_id = p_definition_id and k.key = v_key and k.is_held;
            continue when not found;
            if v_holder.is_over then
                update {schema}.unique_key k set is_held = false where k.job_id = v_holder.job_id and k.is_held;
                continue;
            end if;
            if p_is_duplicate_refused then
                raise exception 'the unique key "%" is held by job %', v_key, v_holder.job_id
                using errcode = 'CQ409', detail = v_holder.job_id::text,
                    hint = 'take another key, or have the job that is there returned: on_duplicate="return"';
            end if;
            v_ids[v_place] := -v_holder.job_id;
            exit;
        end loop;
    end loop;
    return v_ids;
end $$;
