"""Plugins: what one wants done around every enqueue and every attempt of a context.

A plugin is a class with any of four methods. Several are composed in the order in which they are given: the
first is asked first, and stands outermost. They come before handlers of events that are added later.

What a plugin may do to a job, it does by raising in `before_enqueue`, which refuses the enqueue. What it
raises anywhere else is logged under `cuckmq.plugins` and changes nothing.

Plugins see what is enqueued through this library and its context; not what comes from SQL, nor what an
orchestrator puts in for a schedule.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from cuckmq.attempt import AnyAttempt
from cuckmq.errors import ConfigurationError
from cuckmq.events import Event
from cuckmq.log import get_log
from cuckmq.options import EnqueueOptions

_logger = get_log("cuckmq.plugins")


@dataclass(slots=True)
class Enqueuing:
    """Jobs of one enqueue, before they are put in. What a plugin changes here is what is put in.

    Attributes:
        name: of their definition.
        payloads: one for each job; not validated yet.
        options: as given to enqueue, not checked yet; what is not there is as the definition says.
        writes: statements to run in the same transaction, before the jobs are put in; see also().
    """

    name: str
    payloads: list[Any]
    options: EnqueueOptions
    writes: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])

    def also(self, query: str, parameters: Sequence[Any] | dict[str, Any] | None = None) -> None:
        """Have a statement of yours run in the transaction of the enqueue: both are committed, or neither.

        It is psycopg's kind of query, in sync and async callers alike. If it fails the enqueue fails.
        """
        self.writes.append((query, parameters))


class Plugin:
    """What to do around enqueues and attempts. Each method may be left out, and then costs nothing."""

    def before_enqueue(self, enqueuing: Enqueuing) -> None:
        """Jobs are about to be put in. Change them, add a write of your own, or raise to refuse them.

        Called on the spot, on an event loop as well as in threads: be quick. What it raises goes to the
        caller of enqueue, and nothing is put in.
        """

    def after_enqueue(self, enqueuing: Enqueuing, job_ids: Sequence[int]) -> None:
        """Jobs were put in, and committed. Without those that were duplicates.

        Not called for an enqueue in a transaction of the caller's: whether that commits is not known here.
        """

    def around_attempt(self, attempt: AnyAttempt, payload: Any) -> AbstractAsyncContextManager[object]:
        """Give what is entered before the work function is called, and left when it has returned or raised.

        On the worker's event loop, also around a sync work function. Contextvars that it sets are seen by
        the work function, and by no other job. What the work function raises, it sees, and cannot change.
        How the attempt ended is known later, by on_event(): AttemptSucceeded, AttemptFailed, JobFailed.
        """
        raise NotImplementedError

    def on_event(self, event: Event) -> None:
        """Something is true in the database; see cuckmq.events. Called on the spot: be quick."""


class Plugins:
    """The plugins of a context, composed.

    Args:
        plugins: in their order.

    Raises:
        ConfigurationError: one is no plugin.
    """

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        for plugin in plugins:
            if not isinstance(plugin, Plugin):
                raise ConfigurationError(
                    f"{plugin!r} is no plugin: give instances of a class that derives from cuckmq.Plugin"
                )
        self._before = [each.before_enqueue for each in plugins if _has(each, "before_enqueue")]
        self._after = [each.after_enqueue for each in plugins if _has(each, "after_enqueue")]
        self._around = [each.around_attempt for each in plugins if _has(each, "around_attempt")]
        self.handlers: list[Callable[[Event], None]] = [
            each.on_event for each in plugins if _has(each, "on_event")
        ]
        self.surrounds_attempts = bool(self._around)

    def before_enqueue(self, name: str, payloads: Sequence[Any], options: EnqueueOptions) -> Enqueuing:
        """Ask all in their order. What one raises goes on to the caller."""
        enqueuing = Enqueuing(name, list(payloads), options.copy())
        for ask in self._before:
            ask(enqueuing)
        return enqueuing

    def after_enqueue(self, enqueuing: Enqueuing, job_ids: Sequence[int]) -> None:
        """Tell all in their order."""
        new_ids = [job_id for job_id in job_ids if job_id > 0] if self._after else []
        for tell in self._after if new_ids else ():
            try:
                tell(enqueuing, new_ids)
            except Exception:
                _logger.exception("a plugin failed after an enqueue of %s", enqueuing.name)

    @asynccontextmanager
    async def around_attempt(self, attempt: AnyAttempt, payload: Any) -> AsyncGenerator[None]:
        """Enter all, the first outermost, and leave all. One that fails is left out."""
        entered: list[AbstractAsyncContextManager[object]] = []
        failure: BaseException | None = None
        try:
            for make in self._around:
                try:
                    manager = make(attempt, payload)
                    await manager.__aenter__()
                except Exception:
                    _logger.exception("a plugin failed before job %s (%s)", attempt.job_id, attempt.name)
                else:
                    entered.append(manager)
            yield
        except BaseException as error:
            failure = error
            raise
        finally:
            trace = None if failure is None else failure.__traceback__
            for manager in reversed(entered):
                try:
                    await manager.__aexit__(None if failure is None else type(failure), failure, trace)
                except Exception as error:
                    if error is not failure:
                        error.__context__ = None  # what the work function raised is told with its job
                        _logger.exception("a plugin failed after job %s (%s)", attempt.job_id, attempt.name)


def _has(plugin: Plugin, method: str) -> bool:
    return getattr(type(plugin), method) is not getattr(Plugin, method)
