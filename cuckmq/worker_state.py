"""The state that a worker keeps for its work functions: clients, models, pools. How it is said."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, TypeAlias

from cuckmq.errors import ConfigurationError

WorkerState: TypeAlias = Callable[[], AbstractAsyncContextManager[Any]]
"""A function that gives an async context manager, such as `@asynccontextmanager` makes. Each worker calls it
when it starts, and enters what it gives; what that yields is the state."""

NO_STATE: Final = object()
"""Stands for the state where there is none, since None may be one."""


def check_worker_state(make: object) -> None:
    """Refuse what cannot be called, such as the context manager itself, which is good for one worker only.

    Raises:
        ConfigurationError: it is no function.
    """
    if make is not None and not callable(make):
        raise ConfigurationError(
            f"worker_state is a function that gives an async context manager, not {make!r}: "
            "name the function, and do not call it"
        )
