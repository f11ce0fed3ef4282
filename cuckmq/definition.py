"""A job definition: a name, a typed work function, and how its jobs are treated."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar, overload

import psycopg
from typing_extensions import Unpack

from cuckmq.attempt import Attempt
from cuckmq.backoff import DEFAULT_BACKOFF_SECS, check_backoff
from cuckmq.errors import ConfigurationError, DefinitionError, InvalidPayload
from cuckmq.events import DefinitionDeployed, JobEnqueued
from cuckmq.handle import JobHandle
from cuckmq.home import Home
from cuckmq.names import check_job_group, check_name
from cuckmq.options import JOB_OPTIONS, EnqueueOptions, JobOptions, as_placement, as_priority, unknown_options
from cuckmq.outcome import Answer
from cuckmq.payload import Codec, CodecError
from cuckmq.protocol.deploy import deploy, undeploy
from cuckmq.protocol.enqueue import enqueue
from cuckmq.protocol.statement import Statement
from cuckmq.signature import read_signature
from cuckmq.types import Secs, as_limit, as_secs

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
        self: JobDefinition[None, OwnResultT], *, context: Home, name: str,
        work_function: Callable[[], Awaitable[Answer[OwnResultT]]],
        repeat_secs: Secs | None = None,
        **options: Unpack[JobOptions],
    ) -> None: ...  # fmt: skip
    @overload
    def __init__(
        self: JobDefinition[None, OwnResultT], *, context: Home, name: str,
        work_function: Callable[[], Answer[OwnResultT]],
        repeat_secs: Secs | None = None,
        **options: Unpack[JobOptions],
    ) -> None: ...  # fmt: skip
    @overload
    def __init__(
        self: JobDefinition[None, OwnResultT], *, context: Home, name: str,
        work_function: Callable[[None, Attempt], Awaitable[Answer[OwnResultT]]],
        repeat_secs: Secs,
        **options: Unpack[JobOptions],
    ) -> None: ...  # fmt: skip
    @overload
    def __init__(
        self: JobDefinition[None, OwnResultT], *, context: Home, name: str,
        work_function: Callable[[None, Attempt], Answer[OwnResultT]],
        repeat_secs: Secs,
        **options: Unpack[JobOptions],
    ) -> None: ...  # fmt: skip
    @overload
    def __init__(
        self, *, context: Home, name: str,
        work_function: Callable[[PayloadT], Awaitable[Answer[ResultT]]],
        **options: Unpack[JobOptions],
    ) -> None: ...  # fmt: skip
    @overload
    def __init__(
        self, *, context: Home, name: str,
        work_function: Callable[[PayloadT], Answer[ResultT]],
        **options: Unpack[JobOptions],
    ) -> None: ...  # fmt: skip
    @overload
    def __init__(
        self, *, context: Home, name: str,
        work_function: Callable[[PayloadT, Attempt], Awaitable[Answer[ResultT]]],
        **options: Unpack[JobOptions],
    ) -> None: ...  # fmt: skip
    @overload
    def __init__(
        self, *, context: Home, name: str,
        work_function: Callable[[PayloadT, Attempt], Answer[ResultT]],
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
        complaint = unknown_options(options, JOB_OPTIONS)
        if complaint is not None:
            raise DefinitionError(f"job {name!r}: {complaint}, repeat_secs")
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
        if self._job_group is not None and not callable(self._job_group):
            check_job_group(self._job_group)
        if self.repeat_secs is not None and not self.payload_codec.is_empty:
            raise DefinitionError(
                f"job {name!r}: only a job without a payload can repeat, since nobody is there to give one"
            )
        self.describe = options.get("describe")
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
                job_group=self._fixed_job_group(),
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
        self: JobDefinition[None, OwnResultT],
        payload: None = None,
        *,
        connection: psycopg.AsyncConnection[Any] | None = None,
        **options: Unpack[EnqueueOptions],
    ) -> JobHandle[OwnResultT]: ...
    @overload
    async def enqueue(
        self,
        payload: PayloadT,
        *,
        connection: psycopg.AsyncConnection[Any] | None = None,
        **options: Unpack[EnqueueOptions],
    ) -> JobHandle[ResultT]: ...
    async def enqueue(
        self,
        payload: Any = None,
        *,
        connection: psycopg.AsyncConnection[Any] | None = None,
        **options: Unpack[EnqueueOptions],
    ) -> JobHandle[Any]:
        """Put in one job. It is durable when this returns, or when the caller's transaction commits.

        Args:
            payload: what the work function gets; validated now.
            connection: enqueue inside the transaction of this connection. It is not committed here.
            options: when, where and how; see EnqueueOptions.

        Raises:
            InvalidPayload: it does not fit, or JSON in Postgres cannot keep it.
            DefinitionNotDeployed: deploy() it first.
            ConfigurationError: an option is unknown or out of range.
        """
        return (await self._put([payload], connection, options))[0]

    async def enqueue_many(
        self,
        payloads: Sequence[PayloadT],
        *,
        connection: psycopg.AsyncConnection[Any] | None = None,
        **options: Unpack[EnqueueOptions],
    ) -> list[JobHandle[ResultT]]:
        """Put in a job for each payload, all or none, in one statement. Else as enqueue().

        Raises:
            ConfigurationError: the payloads are not a list, tuple or other sequence of payloads.
        """
        if isinstance(payloads, (str, bytes)) or not isinstance(payloads, Sequence):
            raise ConfigurationError(
                f"enqueue_many takes a list of payloads, not a {type(payloads).__name__}"
            )
        return await self._put(payloads, connection, options)

    @overload
    def enqueue_sync(
        self: JobDefinition[None, OwnResultT],
        payload: None = None,
        *,
        connection: psycopg.Connection[Any] | None = None,
        **options: Unpack[EnqueueOptions],
    ) -> JobHandle[OwnResultT]: ...
    @overload
    def enqueue_sync(
        self,
        payload: PayloadT,
        *,
        connection: psycopg.Connection[Any] | None = None,
        **options: Unpack[EnqueueOptions],
    ) -> JobHandle[ResultT]: ...
    def enqueue_sync(
        self,
        payload: Any = None,
        *,
        connection: psycopg.Connection[Any] | None = None,
        **options: Unpack[EnqueueOptions],
    ) -> JobHandle[Any]:
        """Do what enqueue() does, without an event loop: from threads, scripts, sync web frameworks."""
        entry = self._entry([payload], options, is_deferred=connection is not None)
        (job_ids,) = self._home.database.run_sync(entry.statement, connection)
        return self._enqueued(entry, job_ids)[0]

    async def _put(
        self,
        payloads: Sequence[Any],
        connection: psycopg.AsyncConnection[Any] | None,
        options: EnqueueOptions,
    ) -> list[JobHandle[ResultT]]:
        entry = self._entry(payloads, options, is_deferred=connection is not None)
        (job_ids,) = await self._home.database.run(entry.statement, connection)
        return self._enqueued(entry, job_ids)

    def _entry(self, payloads: Sequence[Any], options: EnqueueOptions, *, is_deferred: bool) -> Entry:
        placement = as_placement(options)
        channel = placement.channel or self.channel
        texts = [self._encode(payload) for payload in payloads]
        groups = self._groups(payloads, options.get("job_group"))
        # In the caller's transaction the notification must go with the commit, whenever that is.
        is_silent = not is_deferred and not self._home.wakes.is_notice_due(channel)
        statement = enqueue(self.name, texts, groups, placement, is_silent=is_silent)
        return Entry(statement, groups, channel, is_deferred)

    def _enqueued(self, entry: Entry, job_ids: list[int]) -> list[JobHandle[ResultT]]:
        if not entry.is_deferred:
            self._home.wakes.wake(entry.channel)
        if self._home.events.is_heard and not entry.is_deferred:
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

    def _fixed_job_group(self) -> str | None:
        """The group of every job, if it hangs on no payload: for those who enqueue without Python."""
        if callable(self._job_group):
            group = self._job_group(None) if self.payload_codec.is_empty else None
            return None if group is None else check_job_group(group)
        return self._job_group

    def _groups(self, payloads: Sequence[Any], job_group: str | None) -> Sequence[str | None] | None:
        given = self._job_group if job_group is None else check_job_group(job_group)
        if given is None or isinstance(given, str):
            return None if given is None else [given] * len(payloads)
        groups = [given(payload) for payload in payloads]
        return [None if group is None else check_job_group(group) for group in groups]
