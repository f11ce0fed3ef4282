"""Reading work functions: every form that is taken, and every form that is refused, with its reason."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Optional, Union

import pytest
from pydantic import BaseModel, Field

from cuckmq import Attempt, Cancel, Fail, Snooze
from cuckmq.errors import DefinitionError
from cuckmq.signature import Signature, read_signature

if TYPE_CHECKING:
    from decimal import Decimal as Unimported


class Ping(BaseModel):
    message: str


async def async_none() -> None: ...
def sync_none() -> int: ...
async def async_payload(payload: Ping) -> int: ...
def sync_payload(payload: list[Ping]) -> str: ...
async def async_both(payload: Ping, attempt: Attempt) -> int: ...
def sync_both(payload: None, attempt: Attempt) -> None: ...
def unannotated_attempt(payload: Ping, attempt) -> int: ...  # type: ignore[no-untyped-def]
def stateful(payload: Ping, attempt: Attempt[str]) -> int: ...
def positional_only(payload: Ping, attempt: Attempt, /) -> int: ...
def with_default(payload: Ping, retries: int = 3) -> int: ...
def with_keyword_default(payload: Ping, *, retries: int = 3) -> int: ...
async def awaits_another(payload: Ping) -> Awaitable[int]: ...


@pytest.mark.parametrize(
    ("function", "signature"),
    [
        (async_none, Signature(None, type(None), True, 0)),
        (sync_none, Signature(None, int, False, 0)),
        (async_payload, Signature(Ping, int, True, 1)),
        (sync_payload, Signature(list[Ping], str, False, 1)),
        (async_both, Signature(Ping, int, True, 2)),
        (sync_both, Signature(type(None), type(None), False, 2)),
        (unannotated_attempt, Signature(Ping, int, False, 2)),
        (stateful, Signature(Ping, int, False, 2)),
        (positional_only, Signature(Ping, int, False, 2)),
        (with_default, Signature(Ping, int, False, 1)),
        (with_keyword_default, Signature(Ping, int, False, 1)),
    ],
)
def test_forms_that_are_taken(function: Callable[..., Any], signature: Signature) -> None:
    """B3, B5: async and sync, with nothing, a payload, or a payload and the attempt."""
    assert read_signature(function, "PING") == signature


class Mailer:
    async def send(self, payload: Ping, attempt: Attempt) -> int: ...

    @classmethod
    def check(cls, payload: Ping) -> int: ...

    @staticmethod
    def count() -> int: ...

    async def __call__(self, payload: Ping) -> str: ...


def with_prefix(prefix: str, payload: Ping) -> int: ...
async def with_option(payload: Ping, option: int) -> int: ...


def three(payload: Ping, attempt: Attempt, more: int) -> int: ...


def logged(function: Callable[[Ping], int]) -> Callable[[Ping], int]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> int:
        return function(*args, **kwargs)

    return wrapper


def logged_async(function: Callable[[Ping], Awaitable[int]]) -> Callable[[Ping], Awaitable[int]]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Awaitable[int]:
        return function(*args, **kwargs)

    return wrapper


@logged_async
async def decorated_async(payload: Ping) -> int: ...


@logged
def decorated(payload: Ping) -> int: ...


@pytest.mark.parametrize(
    ("function", "signature"),
    [
        (Mailer().send, Signature(Ping, int, True, 2)),
        (Mailer().check, Signature(Ping, int, False, 1)),
        (Mailer.check, Signature(Ping, int, False, 1)),
        (Mailer.count, Signature(None, int, False, 0)),
        (Mailer(), Signature(Ping, str, True, 1)),
        (functools.partial(with_prefix, "a"), Signature(Ping, int, False, 1)),
        (functools.partial(with_option, option=1), Signature(Ping, int, True, 1)),
        (functools.partial(functools.partial(with_prefix), "a"), Signature(Ping, int, False, 1)),
        (decorated, Signature(Ping, int, False, 1)),
        (decorated_async, Signature(Ping, int, True, 1)),
        (functools.partial(three, 1, 2, 3), Signature(None, int, False, 0)),
    ],
)
def test_methods_callables_partials_and_wrappers_are_taken(
    function: Callable[..., Any], signature: Signature
) -> None:
    assert read_signature(function, "PING") == signature


async def says(payload: Ping) -> int | Snooze | Cancel | Fail: ...
async def says_optionally(payload: Ping) -> Optional[int | Snooze]: ...  # noqa: UP045 - both spellings
async def says_in_the_old_way(payload: Ping) -> Union[int, str, Fail]: ...  # noqa: UP007 - both spellings
async def says_only_this(payload: Ping) -> Snooze: ...
async def says_only_these(payload: Ping) -> Snooze | Fail: ...


@pytest.mark.parametrize(
    ("function", "result"),
    [
        (says, int),
        (says_optionally, int | None),
        (says_in_the_old_way, int | str),
        (says_only_this, None),
        (says_only_these, None),
    ],
)
def test_verdicts_are_no_part_of_the_result(function: Callable[..., Any], result: Any) -> None:
    assert read_signature(function, "PING").result == result


Size = Annotated[int, Field(gt=0)]


async def constrained(payload: Size) -> Size | Snooze: ...


def test_constraints_in_annotations_are_kept() -> None:
    signature = read_signature(constrained, "PING")
    assert signature.payload == Size
    assert signature.result == Size


def no_annotation(payload) -> int: ...  # type: ignore[no-untyped-def]
def no_result(payload: Ping): ...  # type: ignore[no-untyped-def]
def generator(payload: Ping) -> Iterator[int]:
    yield 1


async def async_generator(payload: Ping) -> AsyncIterator[int]:
    yield 1


def keyword_only(*, payload: Ping) -> int: ...
def attempt_first(attempt: Attempt, payload: Ping) -> int: ...
def attempt_alone(attempt: Attempt) -> int: ...
def stateful_alone(attempt: Attempt[str]) -> int: ...
def wrong_second(payload: Ping, second: int) -> int: ...
def unresolved(payload: Unimported) -> int: ...
def unresolved_result(payload: Ping) -> Unimported: ...
def misspelt(payload: Pong) -> int: ...  # type: ignore[name-defined]  # noqa: F821 - the mistake under test
def any_number(*payloads: Ping) -> int: ...
def unsound(payload: Ping.nothing) -> int: ...  # type: ignore[name-defined]


@pytest.mark.parametrize(
    ("function", "complaint"),
    [
        (no_annotation, "job 'PING': annotate its parameter 'payload'; payloads and results are validated"),
        (no_result, "job 'PING': annotate its result, `-> None` if there is none"),
        (generator, "job 'PING': a work function returns; it does not yield"),
        (async_generator, "job 'PING': a work function returns; it does not yield"),
        (keyword_only, "a work function takes (), (payload) or (payload, attempt), not (*, payload: "),
        (three, "a work function takes (), (payload) or (payload, attempt), not (payload: "),
        (any_number, "a work function takes (), (payload) or (payload, attempt), not (*payloads: "),
        (attempt_first, "the attempt comes second: `(payload: None, attempt: Attempt)`"),
        (stateful_alone, "the attempt comes second: `(payload: None, attempt: Attempt)`"),
        (attempt_alone, "the attempt comes second: `(payload: None, attempt: Attempt)`"),
        (wrong_second, "job 'PING': annotate its second parameter as `second: Attempt`"),
        (
            unresolved,
            "its annotations cannot be resolved (name 'Unimported' is not defined); define the types",
        ),
        (unresolved_result, "its annotations cannot be resolved (name 'Unimported' is not defined)"),
        (misspelt, "its annotations cannot be resolved (name 'Pong' is not defined)"),
        (unsound, "its annotations cannot be resolved (nothing)"),
        (functools.partial(three, payload=1), "takes (), (payload) or (payload, attempt), not (*, payload: "),
        (len, "job 'PING': annotate its parameter 'obj'"),
        (int, "job 'PING': the signature of <class 'int'> cannot be read"),
        (Ping, "takes (), (payload) or (payload, attempt), not (*, message: str)"),
        ("ping", "job 'PING': the work function is 'ping', which cannot be called"),
        (None, "job 'PING': the work function is None, which cannot be called"),
    ],
)
def test_forms_that_are_refused_and_why(function: Any, complaint: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        read_signature(function, "PING")
    assert complaint in str(caught.value)
