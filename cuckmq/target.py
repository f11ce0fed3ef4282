"""Where another process finds a work function: the module and the name that lead to it."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any

from cuckmq.errors import DefinitionError

_HOW = "put it, as a plain function, at the top of a module that can be imported"


def target_of(function: Callable[..., Any], name: str) -> str:
    """Tell the `module:name` under which another process can import a work function.

    Whether it is really there shows when it is imported: a decorator runs before its module is complete.

    Raises:
        DefinitionError: it is none that can be found so: a lambda, a function inside another, a method of an
            object, something that is no function, or one of the program that was started.
    """
    qualname: str | None = getattr(function, "__qualname__", None)
    module: str | None = getattr(function, "__module__", None)
    if qualname is None or module is None or not inspect.isroutine(function) or _is_bound(function):
        raise DefinitionError(f"job {name!r}: {function!r} cannot run in a process of its own; {_HOW}")
    if "<" in qualname:
        raise DefinitionError(
            f"job {name!r}: {qualname} lives inside a function, where another process cannot find it; {_HOW}"
        )
    if module == "__main__":
        raise DefinitionError(
            f"job {name!r}: {qualname} belongs to the program that was started, which another process cannot "
            f"import without running it; {_HOW}, and import that"
        )
    return f"{module}:{qualname}"


def resolve(target: str) -> Callable[..., Any]:
    """Import a work function. Where the decorator has put a definition under its name, take that one's.

    Raises:
        DefinitionError: nothing that can be called is there.
    """
    module, _, qualname = target.partition(":")
    missing = object()
    start: Any = importlib.import_module(module)
    found = functools.reduce(lambda here, part: getattr(here, part, missing), qualname.split("."), start)
    function = getattr(found, "work_function", found)
    if not callable(function):
        raise DefinitionError(f"there is no work function {target}; {_HOW}, and do not delete or replace it")
    work_function: Callable[..., Any] = function
    return work_function


def _is_bound(function: Callable[..., Any]) -> bool:
    owner = getattr(function, "__self__", None)
    return inspect.ismethod(function) and not isinstance(owner, type)
