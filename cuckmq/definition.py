"""A job definition: a name, a typed work function, and how its jobs are treated."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, overload

import psycopg
from typing_extensions import TypedDict, Unpack

from cuckmq.attempt import Attempt
from cuckmq.backoff import DEFAULT_BACKOFF_SECS, Backoff, check_backoff
from cuckmq.database.database import Database
from cuckmq.database.endings import Endings
from cuckmq.errors import ConfigurationError, DefinitionError, InvalidPayload
from cuckmq.events import DefinitionDeployed, EventHub, JobEnqueued
from cuckmq.handle import JobHandle
from cuckmq.names import check_job_group, check_name
from cuckmq.outcome import Verdict
from cuckmq.payload import Codec, CodecError
from cuckmq.protocol.deploy import deploy, undeploy
from cuckmq.protocol.enqueue import Placement, enqueue
from cuckmq.protocol.statement import Statement
from cuckmq.signature import read_signature
from cuckmq.types import Secs, as_count, as_limit, as_moment, as_secs
from cuckmq.wakes import Wakes

PayloadT = TypeVar("PayloadT")
ResultT = TypeVar("ResultT")
OwnResultT = TypeVar("OwnResultT")

DEFAULT_CHANNEL = "_default"
MIN_REPEAT_SECS = 0.1


class Entry(NamedTuple):
    """Jobs on their way in.

    Attributes:
        statement: puts them in.
        groups: the group of each, or None when there are none.
        channel: where they go.
        is_deferred: whether they count only when the caller's transaction commits.
    """

    statement: Statement[list[int]]
    groups: Sequence[str | None] | None
    channel: str
    is_deferred: bool


class Home(Protocol):
    """What a definition needs of its context."""

    @property
    def database(self) -> Database:
        """Where statements are run."""
        ...

    @property
    def endings(self) -> Endings:
        """Who waits for jobs to end."""
        ...

    @property
    def events(self) -> EventHub:
        """Who is told."""
        ...

    @property
    def wakes(self) -> Wakes:
        """Who is woken."""
        ...

    @property
    def known(self) -> dict[int, JobDefinition[Any, Any]]:
        """Definitions by their ids in the database."""
        ...

    def register(self, definition: JobDefinition[Any, Any]) -> None:
        """Take in a definition, or refuse its name."""
        ...


class JobOptions(TypedDict, total=False):
    """How the jobs of a definition are treated.

    Attributes:
        channel: the lane they go into, from which workers select.
        priority: higher goes first within a channel; -32768 to 32767.
        num_attempts: how many tries may end in an error before the job has failed; None for no limit.
        backoff: the wait before the next try: seconds, a timedelta, or a function from the number of
            errors so far to one of these.
        num_stalls: how many lost workers a job survives; None for no limit.
        delay_secs: how long each job waits before it may run.
        job_group: the group in which a job runs alone: a name, or a function from the payload to a
            name or None.
    """

    channel: str
    priority: int
    num_attempts: int | None
    backoff: Backoff
    num_stalls: int | None
    delay_secs: Secs
    job_group: str | Callable[[Any], str | None] | None


class JobDefinition(Generic[PayloadT, ResultT]):
    """A typed job. Made by `@context.job(...)`, or by this class; both do the same.

    Payload and result types are taken from the work function's annotations. The function takes
    `()`, `(payload)` or `(payload, attempt)`; it may be `async def`, which runs on the worker's event
    loop, or `def`, which runs in one of its threads.

    Args:
        context: where it belongs.
        name: unique in the context, and what jobs bear in the database.
        work_function: what to do.
        repeat_secs: enqueue a job by itself each so many seconds; only without a payload.
        options: see JobOptions.

    Raises:
        DefinitionError: the work function or an option cannot work.
        DuplicateDefinition: the name is taken in this context.
    """

    @overload
    def __init__(
        self: JobDefinition[None, OwnResultT],
        *,
        context: Home,
        name: str,
        work_function: Callable[[], Awaitable[OwnResultT | Verdict]],
        repeat_secs: Secs | None = None,
        **options: Unpack[JobOptions],
    ) -> None: ...
    @overload
    def __init__(
        self: JobDefinition[None, OwnResultT],
        *,
        context: Home,
        name: str,
        work_function: Callable[[], OwnResultT | Verdict],
        repeat_secs: Secs | None = None,
        **options: Unpack[JobOptions],
    ) -> None: ...
    @overload
    def __init__(
        self,
        *,
        context: Home,
        name: str,
        work_function: Callable[[PayloadT], Awaitable[ResultT | Verdict]],
        **options: Unpack[JobOptions],
    ) -> None: ...
    @overload
    def __init__(
        self,
        *,
        context: Home,
        name: str,
        work_function: Callable[[PayloadT], ResultT | Verdict],
        **options: Unpack[JobOptions],
    ) -> None: ...
    @overload
    def __init__(
        self,
        *,
        context: Home,
        name: str,
        work_function: Callable[[PayloadT, Attempt], Awaitable[ResultT | Verdict]],
        **options: Unpack[JobOptions],
    ) -> None: ...
    @overload
    def __init__(
        self, *, context: Home, name: str,
        work_function: Callable[[PayloadT, Attempt], ResultT | Verdict],
        **options: Unpack[JobOptions],
    ) -> None: ...  # fmt: skip

    def __init__(
        self,
        *,
        context: Home,
        name: str,
        work_function: Callable[..., Any],
        repeat_secs: Secs | None = None,
        **options: Unpack[JobOptions],
    ) -> None:
        unknown = sorted(set(options) - set(JobOptions.__annotations__))
        if unknown:
            raise DefinitionError(
                f"job {name!r}: unknown option {', '.join(unknown)}; there are "
                f"{', '.join(JobOptions.__annotations__)} and repeat_secs"
            )
        self.name = check_name("job", name)
        self.work_function = work_function
        self.signature = read_signature(work_function, name)
        self.payload_codec: Codec[PayloadT] = Codec(self.signature.payload, f"the payload of job {name!r}")
        self.result_codec: Codec[ResultT] = Codec(self.signature.result, f"the result of job {name!r}")
        self.channel = check_name("channel", options.get("channel", DEFAULT_CHANNEL))
        self.priority = as_priority(options.get("priority", 0))
        self.num_attempts = as_limit("num_attempts", options.get("num_attempts", 1), minimum=1)
        self.num_stalls = as_limit("num_stalls", options.get("num_stalls", 3), minimum=0)
        self.backoff = check_backoff(options.get("backoff", DEFAULT_BACKOFF_SECS))
        self.delay_secs = as_secs("delay_secs", options.get("delay_secs", 0.0))
        self.repeat_secs = (
            None if repeat_secs is None else as_secs("repeat_secs", repeat_secs, minimum=MIN_REPEAT_SECS)
        )
        self._job_group = options.get("job_group")
        if isinstance(self._job_group, str):
            check_job_group(self._job_group)
        if self.repeat_secs is not None and not self.payload_codec.is_empty:
            raise DefinitionError(
                f"job {name!r}: only a job without a payload can repeat, since nobody is there to give one"
            )
        self._home = context
        context.register(self)

    def __repr__(self) -> str:
        return f"JobDefinition({self.name!r})"

    async def deploy(self) -> None:
        """Make this definition known to the database, or bring it up to date there.

        Must have been done, by any process, before a job can be enqueued. Safe to repeat.
        """
        (definition_id,) = await self._home.database.run(
            deploy(
                name=self.name,
                channel=self.channel,
                priority=self.priority,
                delay_secs=self.delay_secs,
                num_attempts=self.num_attempts,
                num_stalls=self.num_stalls,
                repeat_secs=self.repeat_secs,
            )
        )
        self._home.known[definition_id] = self
        self._home.events.tell(DefinitionDeployed(name=self.name, definition_id=definition_id))

    async def undeploy(self) -> bool:
        """Take this definition out of service: no more enqueues, no more repeats.

        Jobs that are there are still run. Returns whether it was in service.
        """
        return (await self._home.database.run(undeploy(self.name)))[0]

    @overload
    async def enqueue(
        self: JobDefinition[None, ResultT],
        payload: None = None,
        *,
        delay_secs: Secs | None = None,
        run_at: datetime | None = None,
        job_group: str | None = None,
        channel: str | None = None,
        priority: int | None = None,
        num_attempts: int | None = None,
        num_stalls: int | None = None,
        connection: psycopg.AsyncConnection[Any] | None = None,
    ) -> JobHandle[ResultT]: ...
    @overload
    async def enqueue(
        self, payload: PayloadT, *,
        delay_secs: Secs | None = None, run_at: datetime | None = None, job_group: str | None = None,
        channel: str | None = None, priority: int | None = None, num_attempts: int | None = None,
        num_stalls: int | None = None, connection: psycopg.AsyncConnection[Any] | None = None,
    ) -> JobHandle[ResultT]: ...  # fmt: skip

    async def enqueue(  # noqa: D417 - the options are named in the overloads
        self,
        payload: Any = None,
        *,
        connection: psycopg.AsyncConnection[Any] | None = None,
        job_group: str | None = None,
        **where: Any,
    ) -> JobHandle[ResultT]:
        """Put in one job. It is durable when this returns, or when the caller's transaction commits.

        Args:
            payload: what the work function gets; validated now.
            delay_secs: run it so much later.
            run_at: run it from that moment on; a datetime with a time zone.
            job_group: run it alone among the jobs of this group, of all definitions and channels.
            channel: put it there and not into the definition's channel.
            priority: in place of the definition's.
            num_attempts: in place of the definition's.
            num_stalls: in place of the definition's.
            connection: enqueue inside the transaction of this connection. It is not committed here.

        Raises:
            InvalidPayload: it does not fit, or JSON in Postgres cannot keep it.
            DefinitionNotDeployed: deploy() it first.
            ConfigurationError: an option is out of range.
        """
        return (await self._put([payload], job_group, connection, where))[0]

    async def enqueue_many(
        self,
        payloads: Sequence[PayloadT],
        *,
        delay_secs: Secs | None = None,
        run_at: datetime | None = None,
        job_group: str | None = None,
        channel: str | None = None,
        priority: int | None = None,
        num_attempts: int | None = None,
        num_stalls: int | None = None,
        connection: psycopg.AsyncConnection[Any] | None = None,
    ) -> list[JobHandle[ResultT]]:
        """Put in a job for each payload, all or none, in one statement. Options as for enqueue()."""
        where = {
            "delay_secs": delay_secs, "run_at": run_at, "channel": channel, "priority": priority,
            "num_attempts": num_attempts, "num_stalls": num_stalls,
        }  # fmt: skip
        return await self._put(payloads, job_group, connection, where)

    @overload
    def enqueue_sync(
        self: JobDefinition[None, ResultT],
        payload: None = None,
        *,
        delay_secs: Secs | None = None,
        run_at: datetime | None = None,
        job_group: str | None = None,
        channel: str | None = None,
        priority: int | None = None,
        num_attempts: int | None = None,
        num_stalls: int | None = None,
        connection: psycopg.Connection[Any] | None = None,
    ) -> JobHandle[ResultT]: ...
    @overload
    def enqueue_sync(
        self, payload: PayloadT, *,
        delay_secs: Secs | None = None, run_at: datetime | None = None, job_group: str | None = None,
        channel: str | None = None, priority: int | None = None, num_attempts: int | None = None,
        num_stalls: int | None = None, connection: psycopg.Connection[Any] | None = None,
    ) -> JobHandle[ResultT]: ...  # fmt: skip

    def enqueue_sync(
        self,
        payload: Any = None,
        *,
        connection: psycopg.Connection[Any] | None = None,
        job_group: str | None = None,
        **where: Any,
    ) -> JobHandle[ResultT]:
        """Do what enqueue() does, without an event loop: from threads, scripts, sync web frameworks."""
        entry = self._entry([payload], job_group, where, is_deferred=connection is not None)
        (job_ids,) = self._home.database.run_sync(entry.statement, connection)
        return self._enqueued(entry, job_ids)[0]

    async def _put(
        self,
        payloads: Sequence[Any],
        job_group: str | None,
        connection: psycopg.AsyncConnection[Any] | None,
        where: dict[str, Any],
    ) -> list[JobHandle[ResultT]]:
        entry = self._entry(payloads, job_group, where, is_deferred=connection is not None)
        (job_ids,) = await self._home.database.run(entry.statement, connection)
        return self._enqueued(entry, job_ids)

    def _entry(
        self,
        payloads: Sequence[Any],
        job_group: str | None,
        where: dict[str, Any],
        *,
        is_deferred: bool,
    ) -> Entry:
        placement = as_placement(**where)
        channel = placement.channel or self.channel
        texts = [self._encode(payload) for payload in payloads]
        groups = self._groups(payloads, job_group)
        # In the caller's transaction the notification must go with the commit, whenever that is.
        is_silent = not is_deferred and not self._home.wakes.is_notice_due(channel)
        statement = enqueue(self.name, texts, groups, placement, is_silent=is_silent)
        return Entry(statement, groups, channel, is_deferred)

    def _enqueued(self, entry: Entry, job_ids: list[int]) -> list[JobHandle[ResultT]]:
        if not entry.is_deferred:
            self._home.wakes.wake(entry.channel)
        if self._home.events.is_heard:
            for job_id, group in zip(job_ids, entry.groups or [None] * len(job_ids), strict=True):
                self._home.events.tell(JobEnqueued(job_id=job_id, name=self.name, job_group=group))
        return [self.handle(job_id) for job_id in job_ids]

    def handle(self, job_id: int) -> JobHandle[ResultT]:
        """Take hold of a job of this definition by its id, in any process."""
        return JobHandle(
            job_id,
            database=self._home.database,
            endings=self._home.endings,
            codec=self.result_codec,
        )

    def _encode(self, payload: Any) -> str:
        try:
            return self.payload_codec.encode(payload)
        except CodecError as error:
            raise InvalidPayload(str(error)) from error.__cause__

    def _groups(self, payloads: Sequence[Any], job_group: str | None) -> Sequence[str | None] | None:
        given = self._job_group if job_group is None else job_group
        if given is None:
            return None
        if isinstance(given, str):
            return [check_job_group(given)] * len(payloads)
        groups = [given(payload) for payload in payloads]
        return [None if group is None else check_job_group(group) for group in groups]


def as_placement(
    *,
    delay_secs: Secs | None = None,
    run_at: datetime | None = None,
    channel: str | None = None,
    priority: int | None = None,
    num_attempts: int | None = None,
    num_stalls: int | None = None,
) -> Placement:
    """Check where and when a job is to be put.

    Raises:
        ConfigurationError: an option is out of range, or two contradict each other.
    """
    if delay_secs is not None and run_at is not None:
        raise ConfigurationError("give delay_secs or run_at, not both")
    return Placement(
        delay_secs=None if delay_secs is None else as_secs("delay_secs", delay_secs),
        run_at=None if run_at is None else as_moment("run_at", run_at),
        channel=None if channel is None else check_name("channel", channel),
        priority=None if priority is None else as_priority(priority),
        num_attempts=None if num_attempts is None else as_count("num_attempts", num_attempts, minimum=1),
        num_stalls=None if num_stalls is None else as_count("num_stalls", num_stalls, minimum=0),
    )


def as_priority(priority: int) -> int:
    """Check a priority.

    Raises:
        ConfigurationError: not a whole number that fits 16 bits.
    """
    return as_count("priority", priority, minimum=-32768, maximum=32767)
