"""The typed job queue for Python that needs nothing but Postgres."""

from cuckmq.attempt import Attempt
from cuckmq.context import Context
from cuckmq.definition import JobDefinition
from cuckmq.errors import CuckmqError
from cuckmq.handle import JobHandle
from cuckmq.job import AttemptError, Job
from cuckmq.orchestrator import Orchestrator
from cuckmq.outcome import Cancel, Fail, Snooze
from cuckmq.schema import generate_migration_sql
from cuckmq.state import JobState
from cuckmq.worker import Worker

__all__ = [
    "Attempt",
    "AttemptError",
    "Cancel",
    "Context",
    "CuckmqError",
    "Fail",
    "Job",
    "JobDefinition",
    "JobHandle",
    "JobState",
    "Orchestrator",
    "Snooze",
    "Worker",
    "generate_migration_sql",
]
