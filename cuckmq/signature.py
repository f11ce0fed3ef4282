"""Reads a work function: what it takes, what it gives, and how to call it."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_type_hints

from cuckmq.attempt import Attempt
from cuckmq.errors import DefinitionError
from cuckmq.outcome import Verdict


@dataclass(frozen=True, slots=True)
class Signature:
    """What is to be known of a work function.

    Attributes:
        payload: the annotation of its payload; None when it takes none.
        result: the annotation of its result, verdicts left out.
        is_async: whether calling it gives an awaitable.
        num_arguments: 0, 1 (payload) or 2 (payload, attempt).
    """

    payload: Any
    result: Any
    is_async: bool
    num_arguments: int


def read_signature(function: Callable[..., Any], name: str) -> Signature:
    """Read a work function's signature.

    Raises:
        DefinitionError: it is not `()`, `(payload)` or `(payload, attempt)`; an annotation is missing
            or cannot be resolved; or it is a generator.
    """
    if not callable(function):
        raise DefinitionError(f"job {name!r}: the work function is {function!r}, which cannot be called")
    called = _unwrapped(function)
    if inspect.isgeneratorfunction(called) or inspect.isasyncgenfunction(called):
        raise DefinitionError(f"job {name!r}: a work function returns; it does not yield")
    shape = _shape(function, name)
    parameters = list(shape.parameters.values())
    required = [each for each in parameters if each.default is each.empty and _is_positional(each)]
    if (
        any(not _is_positional(each) and each.default is each.empty for each in parameters)
        or len(required) > 2
    ):
        raise DefinitionError(
            f"job {name!r}: a work function takes (), (payload) or (payload, attempt), not {shape}"
        )
    hints = _hints(called, name)
    payload: Any = None
    if required:
        payload = _annotation(hints, required[0].name, name)
        if _is_attempt(payload):
            raise DefinitionError(
                f"job {name!r}: the attempt comes second: `(payload: None, attempt: Attempt)`"
            )
    if len(required) == 2 and not _is_attempt(hints.get(required[1].name, Attempt)):
        raise DefinitionError(f"job {name!r}: annotate its second parameter as `{required[1].name}: Attempt`")
    return Signature(
        payload=payload,
        result=_without_verdicts(_annotation(hints, "return", name)),
        # A plain wrapper around an async function hands its coroutine through.
        is_async=inspect.iscoroutinefunction(inspect.unwrap(called)),
        num_arguments=len(required),
    )


def _unwrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    while isinstance(function, functools.partial):
        function = function.func
    if not inspect.isroutine(function):
        return type(function).__call__
    return function


def _shape(function: Callable[..., Any], name: str) -> inspect.Signature:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise DefinitionError(
            f"job {name!r}: the signature of {function!r} cannot be read; call it from a function of your own"
        ) from error


def _is_positional(parameter: inspect.Parameter) -> bool:
    return parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)


def _hints(function: Callable[..., Any], name: str) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except Exception as error:  # annotations are expressions, and may raise anything
        raise DefinitionError(
            f"job {name!r}: its annotations cannot be resolved ({error}); define the types at module level, "
            "and import them outside `if TYPE_CHECKING`"
        ) from error


def _annotation(hints: dict[str, Any], parameter: str, name: str) -> Any:
    if parameter not in hints:
        what = (
            "its result, `-> None` if there is none"
            if parameter == "return"
            else f"its parameter {parameter!r}"
        )
        raise DefinitionError(
            f"job {name!r}: annotate {what}; payloads and results are validated by their types"
        )
    return hints[parameter]


def _is_attempt(annotation: Any) -> bool:
    return annotation is Attempt or typing.get_origin(annotation) is Attempt


def _without_verdicts(annotation: Any) -> Any:
    """Take the verdicts out of a union: they are never stored as a result."""
    if not _is_union(annotation):
        return None if _is_verdict(annotation) else annotation
    kept = [member for member in typing.get_args(annotation) if not _is_verdict(member)]
    return functools.reduce(lambda left, right: left | right, kept) if kept else None


def _is_union(annotation: Any) -> bool:
    return isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union


def _is_verdict(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Verdict)
