"""When something repeats: its next moment, and which moments count after a pause.

Slots are moments, so those of a rhythm in seconds know no time zone. Those of a cron expression are read
off the clock on the wall of a time zone, which twice a year jumps:

- A fixed time (`30 2 * * *`) that the jump forward leaves out runs at the moment of the jump instead.
- A fixed time that comes twice, after the jump back, runs at the first.
- What runs by the minute or hour (`*/15 * * * *`, `0 * * * *`) just goes on, in every hour that there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast, get_args

from cuckmq.errors import ConfigurationError

if TYPE_CHECKING:
    from cronsim import CronSim

Missed: TypeAlias = Literal["skip", "one", "all"]
"""What becomes of slots that came while nobody ticked."""

Overlap: TypeAlias = Literal["queue", "skip", "replace"]
"""What becomes of a slot while the job of the one before is live."""

LATE_SECS: Final = 60.0
"""A slot is missed when it is served so much later."""

MAX_MISSED: Final = 100
"""So many missed slots are made up for at most, the latest ones."""


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A rhythm: a number of seconds, or a cron expression on the clock of a time zone."""

    repeat_secs: float | None = None
    cron: str | None = None
    timezone: str = "UTC"

    def next_after(self, moment: datetime) -> datetime:
        """Tell the first slot after a moment; of a rhythm in seconds, as if that moment were a slot."""
        if self.cron is None:
            return moment + timedelta(seconds=self.repeat_secs or 0.0)
        return next(slot for slot in self._walk(moment) if slot > moment)

    def due(self, due_at: datetime, now: datetime, missed: Missed) -> tuple[list[datetime], datetime]:
        """Tell which slots to serve now, earliest first, and the next slot.

        Args:
            due_at: the first slot that was not served; not after `now`.
            now: by the database's clock.
            missed: `one`: all that came meanwhile become one. `skip`: only the latest is served, if
                it is not later than LATE_SECS. `all`: each is, at most MAX_MISSED.
        """
        next_at = self._next_slot(due_at, now)
        if missed == "one":
            return [due_at], next_at
        latest = takewhile(lambda slot: slot >= due_at, self._back_from(due_at, now))
        if missed == "all":
            return [slot for _, slot in zip(range(MAX_MISSED), latest, strict=False)][::-1], next_at
        slot = next(latest, due_at)
        return ([slot] if (now - slot).total_seconds() <= LATE_SECS else []), next_at

    def _next_slot(self, due_at: datetime, now: datetime) -> datetime:
        if self.cron is not None:
            return self.next_after(now)
        step = timedelta(seconds=self.repeat_secs or 0.0)
        return due_at + step * ((now - due_at) // step + 1)

    def _back_from(self, due_at: datetime, now: datetime) -> Iterator[datetime]:
        """Walk from the latest slot that is due to earlier ones."""
        if self.cron is not None:
            # A moment more, since the walk leaves out where it begins.
            yield from (slot for slot in self._walk(now + timedelta(seconds=1), back=True) if slot <= now)
            return
        slot, step = self._next_slot(due_at, now), timedelta(seconds=self.repeat_secs or 0.0)
        while True:
            slot -= step
            yield slot

    def _walk(self, moment: datetime, *, back: bool = False) -> Iterator[datetime]:
        slots = _parse(self.cron or "", self.timezone, moment, back=back)
        return (slot.astimezone(UTC) for slot in slots)


def check_recurrence(repeat_secs: float | None, cron: object, timezone: object) -> Recurrence | None:
    """Check a rhythm; None when there is none.

    Raises:
        ConfigurationError: both are given, the expression says nothing, or there is no such time zone.
    """
    if repeat_secs is not None and cron is not None:
        raise ConfigurationError("give repeat_secs or cron, not both")
    if not isinstance(timezone, str):
        raise ConfigurationError(f"timezone is a name such as 'Europe/Berlin', not {timezone!r}")
    if cron is None:
        if timezone != "UTC":
            raise ConfigurationError("timezone goes with cron: a number of seconds knows no time zone")
        return None if repeat_secs is None else Recurrence(repeat_secs)
    if not isinstance(cron, str):
        raise ConfigurationError(f"cron is an expression such as '*/5 * * * *', not {cron!r}")
    recurrence = Recurrence(None, cron, timezone)
    try:
        recurrence.next_after(datetime.now(UTC))
    except (StopIteration, OverflowError) as error:
        raise ConfigurationError(f"cron {cron!r} names a moment that never comes") from error
    return recurrence


def first_slot(recurrence: Recurrence) -> datetime | None:
    """Tell the first slot of a new schedule; None for at once, which is how a rhythm in seconds begins."""
    return None if recurrence.cron is None else recurrence.next_after(datetime.now(UTC))


def check_missed(missed: object) -> Missed:
    """Check a policy for missed slots."""
    if missed not in get_args(Missed):
        raise ConfigurationError(f"missed is {missed!r}: allowed are {', '.join(get_args(Missed))}")
    return cast("Missed", missed)


def check_overlap(overlap: object) -> Overlap:
    """Check a policy for slots that overlap."""
    if overlap not in get_args(Overlap):
        raise ConfigurationError(f"overlap is {overlap!r}: allowed are {', '.join(get_args(Overlap))}")
    return cast("Overlap", overlap)


def _parse(cron: str, timezone: str, moment: datetime, *, back: bool) -> CronSim:
    # Imported where used: most queues have no cron expression.
    from zoneinfo import ZoneInfo  # noqa: PLC0415

    from cronsim import CronSim, CronSimError  # noqa: PLC0415

    try:
        zone = ZoneInfo(timezone)
    except (KeyError, ValueError, OSError) as error:
        raise ConfigurationError(
            f"there is no time zone {timezone!r}: name one as in 'Europe/Berlin' or 'UTC'"
        ) from error
    try:
        return CronSim(cron, moment.astimezone(zone), reverse=back)
    except CronSimError as error:
        raise ConfigurationError(
            f"cron {cron!r} cannot be read ({error}): write minute, hour, day, month and weekday, "
            "as in '*/5 * * * *'"
        ) from error
