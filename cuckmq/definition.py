"""A job definition: a name, a typed work function, and how its jobs are treated."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar, overload

import psycopg
from typing_extensions import Unpack

from cuckmq.attempt import AnyAttempt
from cuckmq.errors import ConfigurationError, DefinitionError
from cuckmq.events import DefinitionDeployed
from cuckmq.handle import JobHandle
from cuckmq.home import Home
from cuckmq.intake import Intake
from cuckmq.names import check_name
from cuckmq.options import EnqueueOptions, JobOptions
from cuckmq.outcome import Answer
from cuckmq.payload import Codec
from cuckmq.protocol.deploy import deploy, undeploy
from cuckmq.signature import read_signature
from cuckmq.terms import as_deployment, read_terms
from cuckmq.types import Secs

PayloadT = TypeVar("PayloadT")
ResultT = TypeVar("ResultT")
OwnResultT = TypeVar("OwnResultT")


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
        work_function: Callable[[None, AnyAttempt], Awaitable[Answer[OwnResultT]]],
        repeat_secs: Secs,
        **options: Unpack[JobOptions],
    ) -> None: ...  # fmt: skip
    @overload
    def __init__(
        self: JobDefinition[None, OwnResultT], *, context: Home, name: str,
        work_function: Callable[[None, AnyAttempt], Answer[OwnResultT]],
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
        work_function: Callable[[PayloadT, AnyAttempt], Awaitable[Answer[ResultT]]],
        **options: Unpack[JobOptions],
    ) -> None: ...  # fmt: skip
    @overload
    def __init__(
        self, *, context: Home, name: str,
        work_function: Callable[[PayloadT, AnyAttempt], Answer[ResultT]],
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
        self.name = check_name("job", name)
        self.work_function = work_function
        self.signature = read_signature(work_function, name)
        self.payload_codec: Codec[PayloadT] = Codec(self.signature.payload, f"the payload of job {name!r}")
        self.result_codec: Codec[ResultT] = Codec(self.signature.result, f"the result of job {name!r}")
        self.terms = read_terms(name, options, repeat_secs)
        if self.terms.repeat_secs is not None and not self.payload_codec.is_empty:
            raise DefinitionError(
                f"job {name!r}: only a job without a payload can repeat, since nobody is there to give one"
            )
        self._intake = Intake(context, self.name, self.terms, self.payload_codec)
        self._home = context
        context.register(self)

    def __repr__(self) -> str:
        return f"JobDefinition({self.name!r})"

    async def deploy(self) -> None:
        """Make this definition known to the database, or bring it up to date there.

        Must have been done, by any process, before a job can be enqueued. Safe to repeat.
        """
        (definition_id,) = await self._home.database.run(
            deploy(self.name, as_deployment(self.terms, self._intake.fixed_job_group()))
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
        entry = self._intake.prepare([payload], options, is_deferred=connection is not None)
        (job_ids,) = self._home.database.run_sync(entry.statement, connection)
        self._intake.taken(entry, job_ids)
        return self.handle(job_ids[0])

    async def _put(
        self,
        payloads: Sequence[Any],
        connection: psycopg.AsyncConnection[Any] | None,
        options: EnqueueOptions,
    ) -> list[JobHandle[ResultT]]:
        entry = self._intake.prepare(payloads, options, is_deferred=connection is not None)
        (job_ids,) = await self._home.database.run(entry.statement, connection)
        self._intake.taken(entry, job_ids)
        return [self.handle(job_id) for job_id in job_ids]

    def handle(self, job_id: int) -> JobHandle[ResultT]:
        """Take hold of a job of this definition by its id, in any process."""
        return JobHandle(
            job_id,
            database=self._home.database,
            endings=self._home.endings,
            codec=self.result_codec,
        )
