-- Serves libraries from version 1.
--
-- A job's state is the table that holds its entry.
--
-- `job` is the letter, written once, and kept until it is forgotten. Where it stands is told by one small row in
-- one small table: `blocked` (others first), `scheduled` (not yet), `ready` (may run), `waiting` (in its group's
-- line), `running` (claimed) or `finalized` (ended). So the end of a job neither reads nor moves the letter.
-- Functions alone move entries; constraints refuse what no function should have done; check_invariants() tells
-- whether the picture as a whole is right.
--
-- `run_at` is one idea with two uses: a job runs from that moment on, and that moment is its place in
-- line. It is on `job` as well, so that from the job every entry is found through an index.

create table {schema}.channel (
    id integer generated always as identity primary key,
    name text not null unique check (name <> '' and length(name) <= 200),
    is_paused boolean not null default false,
    max_size integer check (max_size >= 1),
    destroyed_at timestamptz
);

-- A channel at one priority: what a claim walks along. Rows appear at deploy, or at the first enqueue
-- that overrides channel or priority, and stay. A definition with limits of its own has lanes of its own;
-- definition_id is 0 where definitions share the lane. So a limit is always a limit of lanes, and a lane
-- that may not be taken from is not walked: nothing stands before anything else.
create table {schema}.lane (
    id integer generated always as identity primary key,
    channel_id integer not null references {schema}.channel,
    priority smallint not null,
    definition_id integer not null default 0,
    is_paused boolean not null default false,
    is_limited boolean not null default false,
    unique (channel_id, priority, definition_id)
);

-- Limits of 2147483647 mean: no limit. So no comparison needs a special case.
create table {schema}.job_definition (
    id integer generated always as identity primary key,
    name text not null unique check (name <> '' and length(name) <= 200),
    lane_id integer not null references {schema}.lane,
    delay_secs double precision not null check (delay_secs >= 0 and delay_secs < 'infinity'),
    num_attempts integer not null check (num_attempts >= 1),
    num_stalls integer not null check (num_stalls >= 0),
    num_failures integer not null default 2147483647 check (num_failures >= 1),
    job_group text check (job_group <> '' and length(job_group) <= 500),
    unique_key text,
    unique_scope text,
    unique_for_secs double precision,
    is_duplicate_refused boolean not null default false,
    expires_secs double precision check (expires_secs > 0 and expires_secs < 'infinity'),
    keep_succeeded_secs double precision check (keep_succeeded_secs >= 0 and keep_succeeded_secs < 'infinity'),
    keep_failed_secs double precision check (keep_failed_secs >= 0 and keep_failed_secs < 'infinity'),
    deployed_at timestamptz not null default now(),
    undeployed_at timestamptz
);

-- A rhythm, and the job it puts in. A declared one belongs to its definition and goes with its options; the
-- others were added at run time. The slots of a cron expression are counted by those who tick.
create table {schema}.schedule (
    name text primary key check (name <> '' and length(name) <= 200),
    definition_id integer not null references {schema}.job_definition,
    is_declared boolean not null,
    repeat_secs double precision check (repeat_secs > 0 and repeat_secs < 'infinity'),
    cron text,
    timezone text not null,
    missed text not null check (missed in ('skip', 'one', 'all')),
    overlap text not null check (overlap in ('queue', 'skip', 'replace')),
    payload json not null,
    job_group text check (job_group <> '' and length(job_group) <= 500),
    is_paused boolean not null default false,
    next_at timestamptz not null,
    last_at timestamptz,
    last_job_id bigint,
    check ((repeat_secs is null) <> (cron is null))
);

-- The lower part of an id; id_base() is the upper.
create sequence {schema}.job_id_seq as bigint;

-- Each claim of a job ends in an error, a stall, a return (snoozed, or given back) or for good. So the sum of
-- the three counts, plus one, is a number that no two claims of it share: the attempt, half of the fence.
--
-- A tied job has something that its end must touch: a unique key, or the moment at which it expires. Or rows
-- elsewhere that go when it is forgotten. See untie().
create table {schema}.job (
    id bigint primary key,
    definition_id integer not null,
    lane_id integer not null,
    num_attempts integer not null,
    num_stalls integer not null,
    num_failures integer not null default 2147483647,
    error_count integer not null default 0,
    stall_count integer not null default 0,
    return_count integer not null default 0,
    run_at timestamptz not null,
    created_at timestamptz not null default clock_timestamp(),
    job_group text,
    payload json not null,
    errors jsonb,
    is_tied boolean not null default false,
    expires_at timestamptz,
    keep_succeeded_secs double precision,
    keep_failed_secs double precision
) with (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0,
        autovacuum_vacuum_insert_scale_factor = 0.1, autovacuum_analyze_scale_factor = 0.05);
alter sequence {schema}.job_id_seq owned by {schema}.job.id;
create index on {schema}.job (expires_at) where expires_at is not null;

-- Not before run_at. A row without a job is a group's turn that is put off. A suspect stays one.
create table {schema}.scheduled (
    lane_id integer not null,
    definition_id integer,
    run_at timestamptz not null,
    job_id bigint,
    group_hash bigint,
    is_suspect boolean not null default false,
    check (job_id is not null or group_hash is not null),
    check ((job_id is null) = (definition_id is null))
) with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0,
        autovacuum_analyze_scale_factor = 0.05);
create index on {schema}.scheduled (lane_id, run_at);

-- Something to do now: an ungrouped job, or a group's turn. A suspect has stalled before and is
-- claimed alone.
create table {schema}.ready (
    lane_id integer not null,
    definition_id integer,
    run_at timestamptz not null,
    job_id bigint,
    group_hash bigint,
    is_suspect boolean not null default false
) with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0,
        autovacuum_analyze_scale_factor = 0.05);
create index on {schema}.ready (lane_id, run_at);
create index on {schema}.ready (lane_id, run_at) where is_suspect;

-- A job that waits for others to end, and what becomes of it if one of them does not succeed.
create table {schema}.blocked (
    job_id bigint primary key,
    policy text not null check (policy in ('fail', 'cancel', 'run')),
    created_at timestamptz not null default clock_timestamp()
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create index on {schema}.blocked (created_at);

-- One of the jobs that a blocked job waits for. Gone when that one has ended. is_success_forgotten tells what
-- to think of one that is found nowhere: it succeeded, for if it had not it would be found.
create table {schema}.dependency (
    needs_id bigint not null,
    job_id bigint not null,
    is_success_forgotten boolean not null default false,
    primary key (needs_id, job_id)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create index on {schema}.dependency (job_id);

-- A job that stands in its group's line.
create table {schema}.waiting (
    group_hash bigint not null,
    lane_id integer not null,
    definition_id integer not null,
    job_id bigint not null,
    primary key (group_hash, lane_id, job_id)
) with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0,
        autovacuum_analyze_scale_factor = 0.05);

-- The group is being served by this worker. The primary key is the promise: never by two. A group that may
-- be served by several has several seats; its first, and the only one of others, is its hash (see seat_of).
create table {schema}.group_lease (
    seat bigint primary key,
    group_hash bigint not null,
    worker_id bigint not null,
    acquired_at timestamptz not null default clock_timestamp()
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);

-- Groups that may be served by more than one worker at once, and by how many.
create table {schema}.group_limit (
    group_hash bigint primary key,
    job_group text not null,
    concurrency integer not null check (concurrency between 2 and 1000)
);

-- What may be taken from the lanes of a channel, or of a definition: at once, and within a span of time.
-- taken_ats and taken_counts tell when how many were taken within the last rate_secs. Nothing is taken before
-- opens_at; is_recount_due asks the first who takes after it to see anew who runs.
create table {schema}.quota (
    id integer generated always as identity primary key,
    channel_id integer unique references {schema}.channel on delete cascade,
    definition_id integer unique references {schema}.job_definition on delete cascade,
    concurrency integer check (concurrency >= 1),
    rate integer check (rate >= 1),
    rate_secs double precision check (rate_secs > 0 and rate_secs <= 1e7),
    taken_ats timestamptz[] not null default '{}',
    taken_counts integer[] not null default '{}',
    opens_at timestamptz not null default '-infinity',
    is_recount_due boolean not null default false,
    check ((channel_id is null) <> (definition_id is null)),
    check ((rate is null) = (rate_secs is null)),
    check (concurrency is not null or rate is not null)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

-- A job that counts against a limit of concurrency, for as long as it is `running`.
create table {schema}.slot (
    quota_id integer not null references {schema}.quota on delete cascade,
    job_id bigint not null,
    primary key (quota_id, job_id)
) with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);

-- Claimed. This row is the fence: whoever cannot delete it no longer owns the job. It knows of the job what its
-- end has to know.
create table {schema}.running (
    job_id bigint primary key,
    definition_id integer not null,
    lane_id integer not null,
    worker_id bigint not null,
    attempt integer not null,
    is_tied boolean not null,
    keep_succeeded_secs double precision,
    group_hash bigint,  -- the seat that its worker holds
    claimed_at timestamptz not null default clock_timestamp()
) with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0,
        autovacuum_analyze_scale_factor = 0.05);

-- An attempt of which a cancellation was asked (see cancel()). Not a column of `running`: that row may be in the
-- hands of the attempt's own transaction, or of its settlement, and who cancels is to wait for neither. Rows of
-- attempts that are over mean nothing, and purge() takes them away.
create table {schema}.cancellation (
    job_id bigint not null,
    attempt integer not null,
    primary key (job_id, attempt)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

-- Ended, and how. Written once; it goes with its job when it is old enough: at purge_at, if the definition has an
-- age of its own.
create table {schema}.finalized (
    job_id bigint primary key,
    definition_id integer not null,
    lane_id integer not null,
    attempt integer not null,
    worker_id bigint,
    claimed_at timestamptz,
    finalized_at timestamptz not null default clock_timestamp(),
    state text not null,
    reason text,
    result json,
    is_tied boolean not null,
    purge_at timestamptz
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create index on {schema}.finalized (finalized_at) where purge_at is null;
create index on {schema}.finalized (purge_at) where purge_at is not null;

-- The key of a job that was enqueued with one; it stays as long as the job is known. The index is the
-- promise: of one definition and key, one holder. A key of scope `for` is held to its moment, whatever
-- became of the job by then.
create table {schema}.unique_key (
    job_id bigint primary key,
    definition_id integer not null,
    key text not null check (key <> '' and length(key) <= 500),
    scope text not null check (scope in ('queued', 'live', 'kept', 'for')),
    held_until timestamptz,
    is_held boolean not null default true,
    check ((scope = 'for') = (held_until is not null))
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create unique index on {schema}.unique_key (definition_id, key) where is_held;
create index on {schema}.unique_key (held_until) where held_until is not null;

-- What a job says of itself while it runs: how far it is, and notes for its later tries and for those who
-- look. Jobs that say nothing have no row. It is written aside, so that saying much makes no job row longer, and
-- stays as long as the job is known: a job with a row here is tied.
create table {schema}.progress (
    job_id bigint primary key,
    fraction double precision check (fraction >= 0 and fraction <= 1),
    message text check (length(message) <= 1000),
    notes jsonb check (jsonb_typeof(notes) = 'object'),
    updated_at timestamptz not null default clock_timestamp()
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

-- One row per running incarnation of a worker; ids are never used again. A lost one was taken for dead
-- and may do nothing more; its row stays until all that it held is put back.
create table {schema}.worker (
    id bigint generated always as identity primary key,
    name text not null,
    host text not null,
    pid integer not null,
    version text not null,
    concurrency integer not null,
    channels text[],
    started_at timestamptz not null default clock_timestamp(),
    heartbeat_at timestamptz not null default clock_timestamp(),
    lease_secs double precision not null check (lease_secs > 0),
    is_lock_held boolean not null default false,
    is_lost boolean not null default false,
    latency_secs double precision,
    num_recalls integer not null default 0
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

-- When workers were taken for dead.
create table {schema}.worker_loss (
    worker_id bigint primary key,
    name text not null,
    lost_at timestamptz not null default clock_timestamp()
);

-- What workers have counted, so that charts never read jobs. No promise: what a crash takes is missing.
create table {schema}.stat (
    minute_at timestamptz not null,
    channel_id integer not null,
    definition_id integer not null,
    num_succeeded bigint not null,
    num_failed bigint not null,
    num_cancelled bigint not null,
    num_errors bigint not null,
    num_snoozed bigint not null,
    num_lost bigint not null,
    run_secs double precision not null,
    wait_secs double precision not null,
    run_histogram bigint[] not null,
    wait_histogram bigint[] not null,
    primary key (minute_at, channel_id, definition_id)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);

-- Somebody wants to hear of events, wherever they happen; of these kinds, or of all. Renewed while he listens.
create table {schema}.subscription (
    id bigint generated always as identity primary key,
    kinds text[],
    expires_at timestamptz not null
);

-- The lower part of an event's number. Not the table's own identity: that would be unlogged as well, and after a
-- crash begin again below what subscribers have read.
create sequence {schema}.event_id_seq as bigint;

-- Events that somebody has subscribed to, for a minute. Unlogged: a crash of the server may lose them.
create unlogged table {schema}.event (
    id bigint primary key,
    kind text not null,
    body json not null,
    published_at timestamptz not null default clock_timestamp()
) with (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
alter sequence {schema}.event_id_seq owned by {schema}.event.id;

-- Each job with its state, whichever table holds its entry.
create view {schema}.all_job as
select
    j.id, d.name as definition, c.name as channel, l.priority, j.job_group,
    case
        when f.job_id is not null then f.state
        when r.job_id is not null then 'running'
        when s.job_id is not null then 'scheduled'
        when b.job_id is not null then 'blocked'
        else 'queued'
    end as state,
    f.reason,
    coalesce(f.attempt, r.attempt, j.error_count + j.stall_count + j.return_count) as attempt,
    j.error_count, j.stall_count, j.num_attempts, j.num_stalls, j.num_failures,
    j.created_at, j.run_at, coalesce(f.claimed_at, r.claimed_at) as claimed_at, f.finalized_at,
    coalesce(f.worker_id, r.worker_id) as worker_id,
    q.job_id is not null as is_cancel_requested,
    j.payload, f.result, j.errors,
    p.fraction as progress, p.message as progress_message, p.notes
from {schema}.job j
join {schema}.job_definition d on d.id = j.definition_id
join {schema}.lane l on l.id = j.lane_id
join {schema}.channel c on c.id = l.channel_id
left join {schema}.finalized f on f.job_id = j.id
left join {schema}.running r on r.job_id = j.id
left join {schema}.cancellation q on q.job_id = r.job_id and q.attempt = r.attempt
left join {schema}.progress p on p.job_id = j.id and j.is_tied
left join lateral (
    select x.job_id from {schema}.scheduled x
    where x.lane_id = j.lane_id and x.run_at = j.run_at and x.job_id = j.id offset 0
) s on true
left join {schema}.blocked b on b.job_id = j.id;
