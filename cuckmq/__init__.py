"""The typed job queue for Python that needs nothing but Postgres."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from cuckmq.attempt import Attempt
    from cuckmq.backoff import Constant, Exponential, Linear, Quadratic
    from cuckmq.context import Context
    from cuckmq.definition import JobDefinition
    from cuckmq.errors import CuckmqError
    from cuckmq.handle import JobHandle
    from cuckmq.job import AttemptError, Job
    from cuckmq.limits import Limits
    from cuckmq.orchestrator import Orchestrator
    from cuckmq.outcome import Cancel, Fail, Retry, Snooze
    from cuckmq.plugin import Enqueuing, Plugin
    from cuckmq.pulled import PulledJob
    from cuckmq.puller import Puller
    from cuckmq.schema import generate_migration_sql
    from cuckmq.state import JobState
    from cuckmq.worker import Worker

__all__ = [
    "Attempt",
    "AttemptError",
    "Cancel",
    "Constant",
    "Context",
    "CuckmqError",
    "Enqueuing",
    "Exponential",
    "Fail",
    "Job",
    "JobDefinition",
    "JobHandle",
    "JobState",
    "Limits",
    "Linear",
    "Orchestrator",
    "Plugin",
    "PulledJob",
    "Puller",
    "Quadratic",
    "Retry",
    "Snooze",
    "Worker",
    "generate_migration_sql",
]

# The public names are imported when first used: `cuckmq --help` and `import cuckmq.errors` load neither
# the driver nor pydantic for it.
_HOMES: Final = {
    "Attempt": "attempt",
    "AttemptError": "job",
    "Cancel": "outcome",
    "Constant": "backoff",
    "Context": "context",
    "CuckmqError": "errors",
    "Enqueuing": "plugin",
    "Exponential": "backoff",
    "Fail": "outcome",
    "Job": "job",
    "JobDefinition": "definition",
    "JobHandle": "handle",
    "JobState": "state",
    "Limits": "limits",
    "Linear": "backoff",
    "Orchestrator": "orchestrator",
    "Plugin": "plugin",
    "PulledJob": "pulled",
    "Puller": "puller",
    "Quadratic": "backoff",
    "Retry": "outcome",
    "Snooze": "outcome",
    "Worker": "worker",
    "generate_migration_sql": "schema",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
