"""Payloads and results between Python and JSON."""

from __future__ import annotations

import dataclasses
import enum
import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_serializer, field_validator
from typing_extensions import TypedDict

from cuckmq.errors import CuckmqError, DefinitionError
from cuckmq.payload import Codec, CodecError

T = TypeVar("T")


class Colour(enum.Enum):
    RED = "red"


class Ping(BaseModel):
    message: str
    size: int | None = None


class Box(BaseModel, Generic[T]):
    content: T


@dataclasses.dataclass
class Pair:
    left: int
    right: float = 0.0


class Options(TypedDict):
    depth: int


class Point(NamedTuple):
    x: int
    y: int


VALUES: list[tuple[Any, Any]] = [
    (Ping, Ping(message="hi")),
    (Box[int], Box[int](content=3)),
    (Pair, Pair(1, 2.5)),
    (Options, Options(depth=3)),
    (Point, Point(1, 2)),
    (str, ""),
    (str, "raw text, {not json}"),
    (str, "größe 仕事 🐦 \x01\x7f\u2028"),
    (int, -(2**70)),
    (float, 0.1),
    (float, 3),
    (bool, True),
    (bytes, b"abc"),
    (datetime, datetime(2030, 1, 1, tzinfo=UTC)),
    (date, date(2030, 1, 1)),
    (timedelta, timedelta(days=1, microseconds=1)),
    (Decimal, Decimal("1.10")),
    (UUID, UUID(int=5)),
    (Colour, Colour.RED),
    (Literal["a", "b"], "b"),
    (list[Ping], [Ping(message="a"), Ping(message="b", size=1)]),
    (dict[str, list[int]], {"a": [1], "": []}),
    (dict[int, str], {1: "a"}),
    (tuple[int, str], (1, "a")),
    (set[int], {1, 2}),
    (Ping | None, None),
    (Ping | None, Ping(message="x")),
    (int | str, 5),
    (int | str, "5"),
    (Ping | Pair, Pair(1, 2.0)),
    (Any, {"a": [1, None, "x"]}),
    (None, None),
]


@pytest.mark.parametrize(("annotation", "value"), VALUES)
def test_what_is_written_is_read_back_equal(annotation: Any, value: Any) -> None:
    """B2, B7: models, dataclasses, TypedDicts, scalars, lists, unions, None, raw strings."""
    codec: Codec[Any] = Codec(annotation, "the payload")
    again = codec.decode(codec.encode(value))
    assert again == value
    assert type(again) is type(value) or (annotation, type(value)) == (float, int)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Ping, {"message": 5}),
        (Ping, Box[int](content=1)),
        (Ping, "hi"),
        (Ping, None),
        (Pair, {"left": 1}),
        (Pair, (1, 2.0)),
        (Options, {"depth": "3"}),
        (Options, {}),
        (int, "5"),
        (int, 5.0),
        (int, True),
        (str, 5),
        (str, b"x"),
        (float, "0.5"),
        (bool, 1),
        (list[int], (1, 2)),
        (list[int], [1, "2"]),
        (None, 0),
        (None, ""),
        (Literal["a"], "b"),
    ],
)
def test_nothing_is_made_to_fit(annotation: Any, value: Any) -> None:
    """B2: a value of another type is refused, not converted."""
    codec: Codec[Any] = Codec(annotation, "the payload of job 'PING'")
    with pytest.raises(CodecError, match=r"the payload of job 'PING' (does not fit|is None, but)"):
        codec.encode(value)


@pytest.mark.parametrize("text", ["\0", "a\0b", "\\\0", "\\\\\0", "\\\\\\\0", "\\u0000\0", "\0\\u0000"])
@pytest.mark.parametrize("annotation", [str, Any])
def test_a_nul_is_found_wherever_it_hides(annotation: Any, text: str) -> None:
    codec: Codec[Any] = Codec(annotation, "the payload")
    with pytest.raises(CodecError, match="holds a NUL character"):
        codec.encode(text)


@pytest.mark.parametrize("text", ["\\u0000", "\\\\u0000", "\\\\\\u0000", "u0000", "\\u00000", "\\", "\\\\"])
def test_text_that_only_looks_like_a_nul_is_let_through(text: str) -> None:
    codec: Codec[str] = Codec(str, "the payload")
    assert codec.decode(codec.encode(text)) == text


def test_a_nul_in_a_key_is_found() -> None:
    codec: Codec[dict[str, int]] = Codec(dict[str, int], "the payload")
    with pytest.raises(CodecError, match="holds a NUL character"):
        codec.encode({"a\0": 1})


@pytest.mark.parametrize("annotation", [str, Any, dict[str, Any], list[str]])
@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\udc00\ud800"])
def test_lone_surrogates_are_refused(annotation: Any, text: str) -> None:
    codec: Codec[Any] = Codec(annotation, "the payload")
    value = [text] if annotation == list[str] else {"k": text} if annotation == dict[str, Any] else text
    with pytest.raises(CodecError, match="the payload"):
        codec.encode(value)


class Table(BaseModel):
    table: dict[str, float]


def test_a_lone_surrogate_in_a_key_is_refused_and_a_replacement_character_kept() -> None:
    codec: Codec[Table] = Codec(Table, "the payload")
    with pytest.raises(CodecError, match="a key that is no text"):
        codec.encode(Table(table={"\ud800": 1.0}))
    kept = Table(table={"\ufffd": 1.0})
    assert codec.decode(codec.encode(kept)) == kept


class Constants(BaseModel):
    model_config = ConfigDict(ser_json_inf_nan="constants")
    x: float


class MaybeFloat(BaseModel):
    x: float | None


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_has_not_are_refused_rather_than_nulled(number: float) -> None:
    for annotation, value in (
        (float, number),
        (float | None, number),
        (Any, {"x": [number]}),
        (MaybeFloat, MaybeFloat(x=number)),
        (Constants, Constants(x=number)),
        (list[float | None], [1.0, None, number]),
    ):
        codec: Codec[Any] = Codec(annotation, "the payload")
        with pytest.raises(CodecError, match="the payload"):
            codec.encode(value)


class Login(BaseModel):
    password: SecretStr


class OpenLogin(Login):
    @field_serializer("password", when_used="json")
    def _show(self, password: SecretStr) -> str:
        return password.get_secret_value()


def test_a_secret_that_masks_itself_is_refused_and_one_that_does_not_is_kept() -> None:
    with pytest.raises(CodecError, match="a masked secret"):
        Codec[Login](Login, "the payload").encode(Login(password=SecretStr("hunter2")))
    codec: Codec[OpenLogin] = Codec(OpenLogin, "the payload")
    assert codec.decode(codec.encode(OpenLogin(password=SecretStr("hunter2")))).password == SecretStr(
        "hunter2"
    )
    stars: Codec[str] = Codec(str, "the payload")
    assert stars.decode(stars.encode("**********")) == "**********"


def circle() -> list[Any]:
    ring: list[Any] = []
    ring.append(ring)
    return ring


def tower(height: int) -> list[Any]:
    top: list[Any] = []
    for _ in range(height):
        top = [top]
    return top


@pytest.mark.parametrize(
    "value",
    [object(), print, {1, object()}, circle(), tower(5_000), b"\xff", lambda: 1],
    ids=["object", "function", "set", "circle", "tower", "bytes", "lambda"],
)
def test_what_is_not_json_is_refused(value: Any) -> None:
    codec: Codec[Any] = Codec(Any, "the payload")
    with pytest.raises(CodecError, match="the payload cannot be written as JSON"):
        codec.encode(value)


class Even(BaseModel):
    number: int

    @field_validator("number")
    @classmethod
    def _check(cls, number: int) -> int:
        if number % 2:
            raise ValueError("must be even")
        return number


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


def is_alone(error: BaseException) -> bool:
    """Whether a traceback shows this error only, and not the one of pydantic before it."""
    return error.__cause__ is None and (error.__suppress_context__ or error.__context__ is None)


class Strings(BaseModel):
    model_config = ConfigDict(ser_json_inf_nan="strings")
    x: float
    y: int | None = None


def test_a_model_that_writes_its_infinities_as_strings_may_have_them() -> None:
    codec: Codec[Strings] = Codec(Strings, "the payload")
    assert codec.decode(codec.encode(Strings(x=math.inf))) == Strings(x=math.inf)


SECRET = "hunter2"


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Ping, Ping.model_construct(message=7, size=SECRET)),
        (int, SECRET),
        (list[int], [SECRET] * 9),
        (dict[str, int], {SECRET: "x"}),
        (Options, {"depth": SECRET, SECRET: 1}),
        (Annotated[Cat | Dog, Field(discriminator="kind")], {"kind": SECRET}),
        (Any, {SECRET: [object(), SECRET]}),
        (Any, [SECRET, "\ud800"]),
        (str, f"{SECRET}\0"),
        (float | None, math.nan),
        (None, SECRET),
    ],
)
def test_no_message_repeats_the_value(annotation: Any, value: Any) -> None:
    codec: Codec[Any] = Codec(annotation, "the payload")
    with pytest.raises(CodecError) as caught:
        codec.encode(value)
    assert SECRET not in str(caught.value)
    assert is_alone(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        f'{{"message": 5, "{SECRET}": 1}}',
        f'{{"message": "{SECRET}"',
        f'"{SECRET}"',
        f'{{"size": "{SECRET}"}}',
    ],
)
def test_no_message_of_reading_repeats_the_text(text: str) -> None:
    codec: Codec[Ping] = Codec(Ping, "the payload")
    with pytest.raises(CodecError) as caught:
        codec.decode(text)
    assert SECRET not in str(caught.value)
    assert is_alone(caught.value)


def test_a_message_says_where_and_what() -> None:
    codec: Codec[list[Ping]] = Codec(list[Ping], "the payload of job 'PING'")
    with pytest.raises(CodecError) as caught:
        codec.decode('[{"message": "a"}, {"message": 5}, {}]')
    assert str(caught.value) == (
        "the payload of job 'PING' does not fit: 1.message: Input should be a valid string; "
        "2.message: Field required"
    )
    with pytest.raises(CodecError, match=r"number: Value error, must be even"):
        Codec[Even](Even, "the payload").decode('{"number": 3}')


def test_a_message_names_five_faults_and_counts_the_rest() -> None:
    codec: Codec[list[int]] = Codec(list[int], "the payload")
    with pytest.raises(CodecError, match=r"4: Input should be a valid integer \(and 3 more\)$"):
        codec.encode(["x"] * 8)  # type: ignore[list-item]


@pytest.mark.parametrize(
    "text", ["", "{", "nul", "[1,]", '"\\ud800"', "5 5", '{"message": null}', "[" * 9_999]
)
def test_what_cannot_be_read_is_an_error_of_ours(text: str) -> None:
    for annotation in (Ping, None, str):
        codec: Codec[Any] = Codec(annotation, "the payload")
        with pytest.raises(CuckmqError, match="the payload does not fit"):
            codec.decode(text)


def test_a_type_that_pydantic_cannot_handle_is_refused_at_definition() -> None:
    class Plain:
        pass

    with pytest.raises(DefinitionError, match=r"pydantic cannot handle .*Plain.*use a model, dataclass"):
        Codec[Plain](Plain, "the payload of job 'PING'")


@pytest.mark.parametrize(("annotation", "is_empty"), [(None, True), (type(None), True), (Ping | None, False)])
def test_only_none_is_empty(annotation: Any, is_empty: bool) -> None:
    assert Codec[Any](annotation, "the payload").is_empty is is_empty
