"""How jobs of one definition get in: payloads and options become a statement, and then are told of."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import psycopg

from cuckmq.doubt import raise_in_doubt
from cuckmq.errors import ConfigurationError, InvalidPayload
from cuckmq.events import JobDeduplicated, JobEnqueued
from cuckmq.home import Home
from cuckmq.names import check_job_group
from cuckmq.options import EnqueueOptions, as_placement, as_uniqueness
from cuckmq.patience import Patience
from cuckmq.payload import Codec, CodecError
from cuckmq.payload_limit import check_payload_size
from cuckmq.plugin import Enqueuing
from cuckmq.protocol.enqueue import NO_KEYS, Keys, enqueue
from cuckmq.protocol.statement import Statement
from cuckmq.terms import Terms
from cuckmq.types import as_secs


class Entry(NamedTuple):
    """Jobs on their way in.

    Attributes:
        statement: puts them in.
        groups: the group of each, or None when there are none.
        keys: their unique keys.
        channel: where they go.
        is_deferred: whether they count only when the caller's transaction commits.
        wait_secs: how long to wait for room.
        enqueuing: what plugins have made of them.
    """

    statement: Statement[list[int] | None]
    groups: Sequence[str | None] | None
    keys: Keys
    channel: str
    is_deferred: bool
    wait_secs: float
    enqueuing: Enqueuing


class Intake:
    """Prepares entries, which sync and async callers then run, and tells of those that were taken in.

    Args:
        home: whose wakes and events.
        name: of the definition.
        terms: of the definition.
        codec: of its payloads.
    """

    def __init__(self, home: Home, name: str, terms: Terms, codec: Codec[Any]) -> None:
        self._home = home
        self._name = name
        self._terms = terms
        self._codec = codec
        own_bytes = terms.max_payload_bytes
        self._max_bytes = home.max_payload_bytes if own_bytes is None else own_bytes

    def prepare(self, payloads: Sequence[Any], options: EnqueueOptions, *, is_deferred: bool) -> Entry:
        """Make the statement that puts in a job for each payload.

        Raises:
            InvalidPayload: one does not fit, or JSON in Postgres cannot keep it.
            PayloadTooLarge: one takes more bytes than are allowed.
            ConfigurationError: an option is unknown or out of range.
        """
        enqueuing = self._home.plugins.before_enqueue(self._name, payloads, options)
        payloads, options = enqueuing.payloads, enqueuing.options
        placement = as_placement(options)
        channel = placement.channel or self._terms.channel
        texts = [self.encode(payload) for payload in payloads]
        groups = self._groups(payloads, options.get("job_group"))
        keys = as_uniqueness(options).over(self._terms.uniqueness).keys_of(payloads) or NO_KEYS
        # In the caller's transaction the notification must go with the commit, whenever that is.
        is_silent = not is_deferred and not self._home.wakes.is_notice_due(channel)
        statement = enqueue(self._name, texts, groups, placement, keys, is_silent=is_silent)
        wait = options.get("wait_secs")
        wait_secs = as_secs("wait_secs", wait) if wait else 0.0
        if wait_secs and is_deferred:
            raise ConfigurationError(
                "wait_secs cannot be kept in a transaction of yours: what makes room may wait for it to end"
            )
        return Entry(statement, groups, keys, channel, is_deferred, wait_secs, enqueuing)

    async def put(self, entry: Entry, connection: psycopg.AsyncConnection[Any] | None) -> list[int]:
        """Put an entry in, with what plugins write, as soon as there is room.

        Raises:
            ChannelFull: there was none for so long.
            EnqueueUnknown: the connection broke, and nobody can say whether the jobs are in.
        """
        patience: Patience | None = None
        while (job_ids := await self._try(entry, connection)) is None:
            patience = patience or Patience(entry.channel, entry.wait_secs)
            await asyncio.sleep(patience.next_pause_secs())
        return job_ids

    async def _try(self, entry: Entry, connection: psycopg.AsyncConnection[Any] | None) -> list[int] | None:
        if connection is not None:
            return await self._put(entry, connection)
        async with self._home.database.own_connection() as own:
            try:
                return await self._put(entry, own)
            except psycopg.OperationalError as error:
                raise_in_doubt(error, own)

    async def _put(self, entry: Entry, connection: psycopg.AsyncConnection[Any]) -> list[int] | None:
        database, writes = self._home.database, entry.enqueuing.writes
        if not writes:
            return (await database.run(entry.statement, connection))[0]
        async with connection.transaction() as transaction:
            for query, parameters in writes:
                # Not connection.execute(): a caller's connection may have cursors that bind otherwise.
                await psycopg.AsyncCursor(connection).execute(query.encode(), parameters)
            job_ids = (await database.run(entry.statement, connection))[0]
            if job_ids is None:
                raise psycopg.Rollback(transaction)
            return job_ids
        return None

    def put_sync(self, entry: Entry, connection: psycopg.Connection[Any] | None) -> list[int]:
        """Do what put() does, without an event loop."""
        patience: Patience | None = None
        while (job_ids := self._try_sync(entry, connection)) is None:
            patience = patience or Patience(entry.channel, entry.wait_secs)
            time.sleep(patience.next_pause_secs())
        return job_ids

    def _try_sync(self, entry: Entry, connection: psycopg.Connection[Any] | None) -> list[int] | None:
        if connection is not None:
            return self._put_sync(entry, connection)
        with self._home.database.connection_sync() as own:
            try:
                return self._put_sync(entry, own)
            except psycopg.OperationalError as error:
                raise_in_doubt(error, own)

    def _put_sync(self, entry: Entry, connection: psycopg.Connection[Any]) -> list[int] | None:
        database, writes = self._home.database, entry.enqueuing.writes
        if not writes:
            return database.run_sync(entry.statement, connection)[0]
        with connection.transaction() as transaction:
            for query, parameters in writes:
                psycopg.Cursor(connection).execute(query.encode(), parameters)
            job_ids = database.run_sync(entry.statement, connection)[0]
            if job_ids is None:
                raise psycopg.Rollback(transaction)
            return job_ids
        return None

    def taken(self, entry: Entry, job_ids: list[int]) -> None:
        """Wake and tell those whom it concerns, unless all depends on a commit of the caller's."""
        if entry.is_deferred:
            return
        self._home.wakes.wake(entry.channel)
        self._home.plugins.after_enqueue(entry.enqueuing, job_ids)
        if self._home.events.is_heard:
            nothing: list[str | None] = [None] * len(job_ids)
            for job_id, group, key in zip(
                job_ids, entry.groups or nothing, entry.keys.keys or nothing, strict=True
            ):
                self._home.events.tell(
                    JobEnqueued(job_id=job_id, name=self._name, job_group=group)
                    if job_id > 0
                    else JobDeduplicated(job_id=-job_id, name=self._name, unique_key=key or "")
                )

    def fixed_job_group(self) -> str | None:
        """The group of every job, if it hangs on no payload: for those who enqueue without Python."""
        given = self._terms.job_group
        if callable(given):
            group = given(None) if self._codec.is_empty else None
            return None if group is None else check_job_group(group)
        return given

    def encode(self, payload: Any) -> str:
        """Make JSON text of a payload.

        Raises:
            InvalidPayload: it does not fit, or JSON in Postgres cannot keep it.
            PayloadTooLarge: it takes more bytes than are allowed.
        """
        try:
            text = self._codec.encode(payload)
        except CodecError as error:
            raise InvalidPayload(str(error)) from error.__cause__
        check_payload_size(text, self._name, self._max_bytes)
        return text

    def group_of(self, payload: Any) -> str | None:
        """Tell the group of a job with this payload."""
        return (self._groups([payload], None) or [None])[0]

    def _groups(self, payloads: Sequence[Any], job_group: str | None) -> Sequence[str | None] | None:
        if job_group is not None and self._terms.persistent:
            raise ConfigurationError(
                f"job {self._name!r} is persistent and would keep the job_group {job_group!r} from all others"
                " for good; leave it out"
            )
        given = self._terms.job_group if job_group is None else check_job_group(job_group)
        if given is None or isinstance(given, str):
            return None if given is None else [given] * len(payloads)
        groups = [given(payload) for payload in payloads]
        return [None if group is None else check_job_group(group) for group in groups]
