"""The context: one database, one schema, and the job definitions that live there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar, overload

from psycopg_pool import AsyncConnectionPool
from typing_extensions import Unpack

from cuckmq.attempt import AnyAttempt
from cuckmq.channels import Channels
from cuckmq.database.database import Database
from cuckmq.database.endings import Endings
from cuckmq.database.listen import Listener
from cuckmq.database.migrate import migrate
from cuckmq.definition import JobDefinition
from cuckmq.errors import ConfigurationError, DuplicateDefinition
from cuckmq.feed import Feed
from cuckmq.groups import Groups
from cuckmq.hub import EventHandler, EventHub
from cuckmq.jobs import Jobs
from cuckmq.names import check_schema_name
from cuckmq.options import JobOptions, RepeatingOptions
from cuckmq.outcome import Answer
from cuckmq.payload_limit import DEFAULT_MAX_PAYLOAD_BYTES, as_payload_limit
from cuckmq.plugin import Plugin, Plugins
from cuckmq.protocol.deploy import find_definitions
from cuckmq.redaction import Redact, Redaction
from cuckmq.schedules import Schedules
from cuckmq.stats import Stats
from cuckmq.subscription import EventT, Subscription
from cuckmq.types import Secs, as_secs
from cuckmq.wakes import Wakes
from cuckmq.worker_state import WorkerState, check_worker_state
from cuckmq.workers import Workers

PayloadT = TypeVar("PayloadT")
ResultT = TypeVar("ResultT")


class JobDecorator(Protocol):
    """What `@context.job(...)` is: makes a definition out of a work function."""

    @overload
    def __call__(
        self, function: Callable[[], Awaitable[Answer[ResultT]]], /
    ) -> JobDefinition[None, ResultT]: ...
    @overload
    def __call__(self, function: Callable[[], Answer[ResultT]], /) -> JobDefinition[None, ResultT]: ...
    @overload
    def __call__(
        self, function: Callable[[PayloadT], Awaitable[Answer[ResultT]]], /
    ) -> JobDefinition[PayloadT, ResultT]: ...
    @overload
    def __call__(
        self, function: Callable[[PayloadT], Answer[ResultT]], /
    ) -> JobDefinition[PayloadT, ResultT]: ...
    @overload
    def __call__(
        self, function: Callable[[PayloadT, AnyAttempt], Awaitable[Answer[ResultT]]], /
    ) -> JobDefinition[PayloadT, ResultT]: ...
    @overload
    def __call__(
        self, function: Callable[[PayloadT, AnyAttempt], Answer[ResultT]], /
    ) -> JobDefinition[PayloadT, ResultT]: ...


class RepeatingJobDecorator(Protocol):
    """What `@context.job(cron=...)` is: takes only work functions without a payload."""

    @overload
    def __call__(
        self, function: Callable[[], Awaitable[Answer[ResultT]]], /
    ) -> JobDefinition[None, ResultT]: ...
    @overload
    def __call__(self, function: Callable[[], Answer[ResultT]], /) -> JobDefinition[None, ResultT]: ...
    @overload
    def __call__(
        self, function: Callable[[None, AnyAttempt], Awaitable[Answer[ResultT]]], /
    ) -> JobDefinition[None, ResultT]: ...
    @overload
    def __call__(
        self, function: Callable[[None, AnyAttempt], Answer[ResultT]], /
    ) -> JobDefinition[None, ResultT]: ...


class Context:
    """Holds what definitions, workers and orchestrators share. Constructing it touches nothing.

    Args:
        pool_or_dsn: a psycopg AsyncConnectionPool of yours, which is used and never closed; or a DSN,
            for which a pool is opened on first use; or None for CUCKMQ_DATABASE_URL, then
            DATABASE_URL, then an embedded PostgreSQL in `.cuckmq/`.
        schema: the schema that holds the queue; several can live side by side in one database.
        job_post_finalize_delete_secs: how long ended jobs are kept before an orchestrator deletes them.
        job_group_unlock_secs: the longest that one job may hold its group; a job that takes longer
            loses it, and is run again as one that stalled.
        stat_delete_secs: how long statistics are kept before an orchestrator deletes them.
        listen_dsn: a DSN that reaches the server without a pooler, if the other goes through one.
        worker_state: a function that gives an async context manager. Each worker of this context enters
            one of its own before it claims, and leaves it after its last job; work functions get what it
            yields as `attempt.state`.
        plugins: what to do around enqueues and attempts; the first is asked first, and stands outermost.
        redact: is given a job's name and a text about an error of it, and returns what may be kept, told
            and logged of that text. If it fails, nothing is.
        max_payload_bytes: how many bytes a payload may take, written as JSON, unless its definition says more
            or less; up to 1,000,000,000.

    Raises:
        ConfigurationError: an option is wrong.
    """

    def __init__(
        self,
        pool_or_dsn: str | AsyncConnectionPool[Any] | None = None,
        *,
        schema: str = "_cuckmq",
        job_post_finalize_delete_secs: Secs = 86_400,
        job_group_unlock_secs: Secs = 10_800,
        stat_delete_secs: Secs = 604_800,
        listen_dsn: str | None = None,
        worker_state: WorkerState | None = None,
        plugins: Sequence[Plugin] = (),
        redact: Redact | None = None,
        max_payload_bytes: int = DEFAULT_MAX_PAYLOAD_BYTES,
    ) -> None:
        if pool_or_dsn is not None and not isinstance(pool_or_dsn, (str, AsyncConnectionPool)):
            raise ConfigurationError(
                f"Context takes a DSN or a psycopg_pool.AsyncConnectionPool, not {type(pool_or_dsn).__name__}"
            )
        check_worker_state(worker_state)
        self.worker_state = worker_state
        self.schema = check_schema_name(schema)
        self.job_post_finalize_delete_secs = as_secs(
            "job_post_finalize_delete_secs", job_post_finalize_delete_secs
        )
        self.job_group_unlock_secs = as_secs("job_group_unlock_secs", job_group_unlock_secs, minimum=1.0)
        self.stat_delete_secs = as_secs("stat_delete_secs", stat_delete_secs, minimum=60.0)
        self.database = Database(pool_or_dsn, schema=schema, listen_dsn=listen_dsn)
        self.endings = Endings(self.database)
        self.plugins = Plugins(plugins)
        self.redaction = Redaction(redact)
        self.max_payload_bytes = as_payload_limit(max_payload_bytes)
        self.events = EventHub()
        for handler in self.plugins.handlers:
            self.events.add(handler)
        self.wakes = Wakes()
        self.listener = Listener(self.database)
        self.feed = Feed(self.database, self.listener, self.events)
        self.definitions: dict[str, JobDefinition[Any, Any]] = {}
        self.known: dict[int, JobDefinition[Any, Any]] = {}
        self.jobs = Jobs(self.database, self.events, self.known, self.definitions)
        self.channels = Channels(self.database, self.events)
        self.groups = Groups(self.database)
        self.workers = Workers(self.database, self.events, job_group_unlock_secs=self.job_group_unlock_secs)
        self.schedules = Schedules(self.database)
        self.stats = Stats(self.database)

    def __repr__(self) -> str:
        return f"Context(schema={self.schema!r}, definitions={sorted(self.definitions)})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def migrate(self, *, roles: bool | str = False) -> int:
        """Create the queue's schema or bring it up to date.

        Safe to repeat, and safe to run by many at once. Needs a role that may create the schema.

        Args:
            roles: make roles for producers, workers and observers too; see `generate_migration_sql`.

        Returns:
            The version at which the schema is. A newer one than this library's is left as it is.

        Raises:
            SchemaTooNew: the schema is newer, and serves this library no more.
        """
        return await migrate(self.database.direct_dsn, self.schema, roles=roles)

    async def deploy(self) -> None:
        """Deploy every definition of this context."""
        for definition in self.definitions.values():
            await definition.deploy()

    async def close(self) -> None:
        """Close what this context opened; a pool of yours stays open. Stop workers first."""
        await self.listener.close()
        await self.database.close()

    @overload
    def job(self, *, name: str, **options: Unpack[JobOptions]) -> JobDecorator: ...
    @overload
    def job(self, *, name: str, **options: Unpack[RepeatingOptions]) -> RepeatingJobDecorator: ...
    def job(self, *, name: str, **options: Unpack[RepeatingOptions]) -> Any:
        """Make a JobDefinition out of the function below::

            @context.job(name="PING", num_attempts=3)
            async def ping(payload: Ping, attempt: Attempt) -> int: ...

        Args:
            name: unique in this context, and what jobs bear in the database.
            options: see JobOptions; without a payload also RepeatingOptions.

        Raises:
            DefinitionError: the function or an option cannot work.
            DuplicateDefinition: the name is taken.
        """

        def define(function: Callable[..., Any]) -> JobDefinition[Any, Any]:
            make: Any = JobDefinition
            definition: JobDefinition[Any, Any] = make(
                context=self, name=name, work_function=function, **options
            )
            return definition

        return define

    def register(self, definition: JobDefinition[Any, Any]) -> None:
        """Take in a definition. JobDefinition does this by itself.

        Raises:
            DuplicateDefinition: the name is taken.
        """
        if definition.name in self.definitions:
            raise DuplicateDefinition(
                f"there is a job {definition.name!r} in this context already: names are unique, pick another"
            )
        self.definitions[definition.name] = definition

    async def recognize(self) -> None:
        """Learn the ids of definitions that other processes have deployed."""
        known = {each.name for each in self.known.values()}
        unknown = [name for name in self.definitions if name not in known]
        if unknown:
            for name, definition_id in await self.database.run(find_definitions(unknown)):
                self.known[definition_id] = self.definitions[name]

    def add_event_handler(self, handler: EventHandler) -> Callable[[], None]:
        """Have every event of this process told to a function, sync or async.

        A handler that raises is logged and changes nothing. Sync handlers are called on the spot and
        should be quick.

        Returns:
            A function that removes the handler again.
        """
        return self.events.add(handler)

    def subscribe(self, *kinds: type[EventT]) -> Subscription[EventT]:
        """Hear of events in other processes, those with a worker or an orchestrator::

            async with context.subscribe(JobFailed, JobCancelled) as events:
                async for event in events: ...

        See docs/events.md for what is promised. It costs those processes nothing while nobody subscribes.

        Args:
            kinds: classes of cuckmq.events; those derived from them belong to them. None for all.

        Raises:
            ConfigurationError: one is no such class.
        """
        return Subscription(self.database, self.listener, kinds)
