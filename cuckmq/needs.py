"""What a job waits for: other jobs, named by their handles or their ids."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, Protocol, TypeAlias, get_args

from cuckmq.errors import ConfigurationError

MAX_ID: Final = 2**63 - 1


class HasId(Protocol):
    """A handle, or a job."""

    @property
    def id(self) -> int:
        """The job's id."""
        ...


Prerequisite: TypeAlias = HasId | int
"""A job that is to end first."""

OnDependencyFailure: TypeAlias = Literal["fail", "cancel", "run"]
"""What becomes of a job when one that it waits for does not succeed."""


def as_needs(given: Prerequisite | Iterable[Prerequisite] | None) -> tuple[int, ...]:
    """Read the option `after`.

    Raises:
        ConfigurationError: something in it is neither a handle nor an id.
    """
    if given is None:
        return ()
    several = given if isinstance(given, Iterable) and not isinstance(given, (str, bytes)) else [given]
    return tuple(_as_id(each) for each in several)


def as_on_dependency_failure(given: object) -> str:
    """Check the option of this name.

    Raises:
        ConfigurationError: there is no such policy.
    """
    policy = "fail" if given is None else given
    if not isinstance(policy, str) or policy not in get_args(OnDependencyFailure):
        raise ConfigurationError(f"on_dependency_failure is 'fail', 'cancel' or 'run', not {given!r}")
    return policy


def _as_id(given: object) -> int:
    job_id = getattr(given, "id", given)
    if isinstance(job_id, bool) or not isinstance(job_id, int) or not 0 < job_id <= MAX_ID:
        raise ConfigurationError(f"after takes handles of jobs, or their ids, not {given!r}")
    return job_id
