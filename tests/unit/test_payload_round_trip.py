"""What encode() accepts, decode() gives back equal: for any value whatever."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel

from cuckmq.payload import Codec, CodecError


class Model(BaseModel):
    text: str = ""
    number: int | None = None
    ratio: float | None = None
    items: list[str] = []
    table: dict[str, float] = {}


@dataclasses.dataclass
class Record:
    text: str
    ratio: float | None


ANY_TEXT = st.text(st.characters())
ANY_FLOAT = st.floats(allow_nan=True, allow_infinity=True)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | ANY_FLOAT | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)
MODELS = st.builds(
    Model.model_construct,
    text=ANY_TEXT,
    number=st.none() | st.integers(),
    ratio=st.none() | ANY_FLOAT,
    items=st.lists(ANY_TEXT, max_size=3),
    table=st.dictionaries(ANY_TEXT, ANY_FLOAT, max_size=3),
)
RECORDS = st.builds(Record, ANY_TEXT, st.none() | ANY_FLOAT)


def comes_back_or_is_refused(annotation: Any, value: Any) -> None:
    codec: Codec[Any] = Codec(annotation, "the payload")
    try:
        text = codec.encode(value)
    except CodecError:
        return
    assert codec.decode(text) == value
    text.encode()
    assert "\0" not in json.dumps(json.loads(text), ensure_ascii=False)


@given(ANY_JSON)
@example([float("nan")])
@example({"a": "\\\0"})
@pytest.mark.fault("F2")
def test_plain_values(value: Any) -> None:
    comes_back_or_is_refused(Any, value)


@given(MODELS)
@pytest.mark.fault("F2")
def test_models(value: Model) -> None:
    comes_back_or_is_refused(Model, value)


@given(RECORDS)
def test_dataclasses(value: Record) -> None:
    comes_back_or_is_refused(Record, value)


@given(ANY_TEXT)
@example("\\u0000")
def test_raw_strings_are_refused_only_for_what_postgres_cannot_keep(text: str) -> None:
    """B7: any other text is a payload, the empty one too."""
    codec: Codec[str] = Codec(str, "the payload")
    is_storable = "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
    try:
        assert codec.decode(codec.encode(text)) == text
        assert is_storable
    except CodecError:
        assert not is_storable


@given(st.one_of(st.integers(), ANY_FLOAT, ANY_TEXT, st.lists(st.integers()), st.none()))
def test_unions(value: Any) -> None:
    comes_back_or_is_refused(int | str | float | list[int] | None, value)


@given(ANY_TEXT | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_reading_gives_a_value_or_an_error_of_ours(text: str) -> None:
    for annotation in (Model, Any, None, str):
        codec: Codec[Any] = Codec(annotation, "the payload")
        try:
            codec.decode(text)
        except CodecError:
            continue
