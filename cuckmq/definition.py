"""A job definition: a name, a typed work function, and how its jobs are treated."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar, overload

import psycopg
from typing_extensions import Unpack

from cuckmq.attempt import AnyAttempt
from cuckmq.deployable import Deployable
from cuckmq.errors import ConfigurationError, DefinitionError, KeyNotFound
from cuckmq.handle import JobHandle
from cuckmq.home import Home
from cuckmq.intake import Intake
from cuckmq.names import check_name, check_unique_key
from cuckmq.options import EnqueueOptions, JobOptions, RepeatingOptions
from cuckmq.outcome import Answer
from cuckmq.payload import Codec
from cuckmq.protocol.unique_key import find_holder
from cuckmq.signature import read_signature
from cuckmq.target import target_of
from cuckmq.terms import read_terms

PayloadT = TypeVar("PayloadT")
ResultT = TypeVar("ResultT")
OwnResultT = TypeVar("OwnResultT")


class JobDefinition(Deployable, Generic[PayloadT, ResultT]):
    """A typed job. Made by `@context.job(...)`, or by this class; both do the same.

    Payload and result types are taken from the work function's annotations. The function takes
    `()`, `(payload)` or `(payload, attempt)`; it may be `async def`, which runs on the worker's event
    loop, or `def`, which runs in one of its threads, or in a process if executor says so.

    Args:
        context: where it belongs.
        name: unique in the context, and what jobs bear in the database.
        work_function: what to do.
        options: see JobOptions; without a payload also RepeatingOptions.

    Raises:
        DefinitionError: the work function or an option cannot work.
        DuplicateDefinition: the name is taken in this context.
    """

    @overload
    def __init__(
        self: JobDefinition[None, OwnResultT], *, context: Home, name: str,
        work_function: Callable[[], Awaitable[Answer[OwnResultT]]],
        **options: Unpack[RepeatingOptions],
    ) -> None: ...  # fmt: skip
    @overload
    def __init__(
        self: JobDefinition[None, OwnResultT], *, context: Home, name: str,
        work_function: Callable[[], Answer[OwnResultT]],
        **options: Unpack[RepeatingOptions],
    ) -> None: ...  # fmt: skip
    @overload
    def __init__(
        self: JobDefinition[None, OwnResultT], *, context: Home, name: str,
        work_function: Callable[[None, AnyAttempt], Awaitable[Answer[OwnResultT]]],
        **options: Unpack[RepeatingOptions],
    ) -> None: ...  # fmt: skip
    @overload
    def __init__(
        self: JobDefinition[None, OwnResultT], *, context: Home, name: str,
        work_function: Callable[[None, AnyAttempt], Answer[OwnResultT]],
        **options: Unpack[RepeatingOptions],
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
        **options: Unpack[RepeatingOptions],
    ) -> None:
        self.name = check_name("job", name)
        self.work_function = work_function
        self.signature = read_signature(work_function, name)
        self.payload_codec: Codec[PayloadT] = Codec(self.signature.payload, f"the payload of job {name!r}")
        self.result_codec: Codec[ResultT] = Codec(self.signature.result, f"the result of job {name!r}")
        self.terms = read_terms(name, options)
        self.target = None if self.terms.executor is None else self._find_target()
        if self.terms.is_repeating and not self.payload_codec.is_empty:
            raise DefinitionError(
                f"job {name!r}: only a job without a payload can repeat, since nobody is there to give one"
            )
        self._intake = Intake(context, self.name, self.terms, self.payload_codec)
        super().__init__(context, self.name, self.terms, self._intake.fixed_job_group)
        context.register(self)

    def __repr__(self) -> str:
        return f"JobDefinition({self.name!r})"

    def _find_target(self) -> str:
        if self.signature.is_async:
            raise DefinitionError(
                f"job {self.name!r}: an async function runs on the event loop; write it with `def`, or leave "
                "executor='process' out"
            )
        return target_of(self.work_function, self.name)

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

        With a unique key that another job holds, nothing is put in: the handle is that job's, and its
        `is_duplicate` is true. It waits for transactions that are about to take or give back the key.

        Raises:
            InvalidPayload: it does not fit, JSON in Postgres cannot keep it, or it is too large.
            DefinitionNotDeployed: deploy() it first.
            DuplicateJob: another job holds the unique key, and on_duplicate is "raise".
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
        return await self._put(_as_payloads(payloads), connection, options)

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
        return self._put_sync([payload], connection, options)[0]

    def enqueue_many_sync(
        self,
        payloads: Sequence[PayloadT],
        *,
        connection: psycopg.Connection[Any] | None = None,
        **options: Unpack[EnqueueOptions],
    ) -> list[JobHandle[ResultT]]:
        """Do what enqueue_many() does, without an event loop."""
        return self._put_sync(_as_payloads(payloads), connection, options)

    async def _put(
        self,
        payloads: Sequence[Any],
        connection: psycopg.AsyncConnection[Any] | None,
        options: EnqueueOptions,
    ) -> list[JobHandle[ResultT]]:
        entry = self._intake.prepare(payloads, options, is_deferred=connection is not None)
        job_ids = await self._intake.put(entry, connection)
        self._intake.taken(entry, job_ids)
        return [self._hold(abs(job_id), is_duplicate=job_id < 0) for job_id in job_ids]

    def _put_sync(
        self, payloads: Sequence[Any], connection: psycopg.Connection[Any] | None, options: EnqueueOptions
    ) -> list[JobHandle[ResultT]]:
        entry = self._intake.prepare(payloads, options, is_deferred=connection is not None)
        job_ids = self._intake.put_sync(entry, connection)
        self._intake.taken(entry, job_ids)
        return [self._hold(abs(job_id), is_duplicate=job_id < 0) for job_id in job_ids]

    async def find(self, unique_key: str) -> JobHandle[ResultT]:
        """Take hold of the job of this definition that holds a unique key, in any process.

        Raises:
            KeyNotFound: none does, or none does any more.
        """
        return self._holder(
            unique_key,
            await self._home.database.run(find_holder(self.name, check_unique_key(unique_key))),
        )

    def find_sync(self, unique_key: str) -> JobHandle[ResultT]:
        """Do what find() does, without an event loop."""
        return self._holder(
            unique_key, self._home.database.run_sync(find_holder(self.name, check_unique_key(unique_key)))
        )

    def prepare(self, payload: PayloadT) -> tuple[str, str | None]:
        """Tell the JSON text and the group of a job with this payload, for one that is put in later.

        Raises:
            InvalidPayload: it does not fit, or JSON in Postgres cannot keep it.
        """
        return self._intake.encode(payload), self._intake.group_of(payload)

    def handle(self, job_id: int) -> JobHandle[ResultT]:
        """Take hold of a job of this definition by its id, in any process."""
        return self._hold(job_id, is_duplicate=False)

    def _hold(self, job_id: int, *, is_duplicate: bool) -> JobHandle[ResultT]:
        return JobHandle(
            job_id,
            database=self._home.database,
            endings=self._home.endings,
            events=self._home.events,
            codec=self.result_codec,
            is_duplicate=is_duplicate,
        )

    def _holder(self, unique_key: str, job_ids: list[int]) -> JobHandle[ResultT]:
        if not job_ids:
            raise KeyNotFound(
                f"no job {self.name!r} holds the unique key {unique_key!r}: never enqueued, or it gave the "
                'key back (one of unique_scope="kept" does not while it is known)'
            )
        return self.handle(job_ids[0])


def _as_payloads(payloads: object) -> Sequence[Any]:
    if isinstance(payloads, (str, bytes)) or not isinstance(payloads, Sequence):
        raise ConfigurationError(f"enqueue_many takes a list of payloads, not a {type(payloads).__name__}")
    return payloads
