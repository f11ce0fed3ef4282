"""Payloads and results between Python and JSON text, checked by pydantic both ways.

What is stored must be what a worker can read back. So a payload is validated, written as JSON, and
the JSON is read once more before it leaves: what cannot come back is refused where it was made, not
discovered hours later by a worker.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from pydantic import (
    PydanticSchemaGenerationError,
    PydanticUserError,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import ErrorDetails, PydanticSerializationError

from cuckmq.errors import CuckmqError, DefinitionError
from cuckmq.fidelity import holds_constant, holds_nul, is_lost, looks_lossy

T = TypeVar("T")


class CodecError(CuckmqError):
    """A value does not fit its type, or JSON cannot keep it. The message never holds the value."""


class Codec(Generic[T]):
    """Reads and writes the values of one type.

    Args:
        annotation: any type pydantic knows: models, dataclasses, TypedDicts, scalars, None.
        what: what the values are, for messages.

    Raises:
        DefinitionError: pydantic can make nothing of the type.
    """

    __slots__ = ("_adapter", "_validator", "_what", "is_empty")

    def __init__(self, annotation: Any, what: str) -> None:
        self._what = what
        self.is_empty = annotation is None or annotation is type(None)
        try:
            make: Any = TypeAdapter
            self._adapter: TypeAdapter[T] = make(annotation)
            # What the adapter calls: its own methods pass on a dozen arguments, for each payload.
            self._validator = self._adapter.validator
        except (PydanticSchemaGenerationError, PydanticUserError) as error:
            raise DefinitionError(
                f"{what}: pydantic cannot handle {annotation!r}; use a model, dataclass, TypedDict "
                "or a plain type"
            ) from error

    def encode(self, value: T) -> str:
        """Write a value as JSON text that decode() will read.

        Raises:
            CodecError: of another type, or holding what JSON in Postgres cannot keep: a NUL, a lone
                surrogate, a NaN, a secret that masks itself.
        """
        if self.is_empty:
            if value is not None:
                raise CodecError(f"{self._what} is None, but a {type(value).__name__} was given")
            return "null"
        try:
            checked = self._validator.validate_python(value, strict=True)
            text = self._adapter.dump_json(checked, warnings="error").decode()
            again = self._validator.validate_json(text)
        except ValidationError as error:
            raise CodecError(self._explain(error)) from None
        except (PydanticSerializationError, ValueError, RecursionError) as error:
            raise CodecError(f"{self._what} cannot be written as JSON: {_fault(error)}") from None
        if holds_nul(text):
            raise CodecError(f"{self._what} holds a NUL character, which Postgres cannot keep")
        if looks_lossy(text) and self._is_lossy(text, checked, again):
            raise CodecError(
                f"{self._what} holds a NaN, an infinity, a masked secret or a key that is no text: "
                "JSON cannot keep them"
            )
        return text

    def decode(self, text: str) -> T:
        """Read a value from JSON text.

        Raises:
            CodecError: not JSON, or not of the type.
        """
        if self.is_empty and text == "null":
            return None  # type: ignore[return-value]  # T is None here
        try:
            read: T = self._validator.validate_json(text)
        except ValidationError as error:
            raise CodecError(self._explain(error)) from None
        return read

    def _is_lossy(self, text: str, value: T, again: T) -> bool:
        dump = self._adapter.dump_python
        return holds_constant(text) or is_lost(dump(value), dump(again))

    def _explain(self, error: ValidationError) -> str:
        """Say where it does not fit, without repeating anything of the value: it may be a secret.

        What a validator of the user's own says is passed on as it is.
        """
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        fields = self._fields()
        told = "; ".join(
            f"{'.'.join(_step(step, fields) for step in fault['loc']) or 'value'}: {_message(fault)}"
            for fault in faults[:5]
        )
        more = f" (and {len(faults) - 5} more)" if len(faults) > 5 else ""
        return f"{self._what} does not fit: {told}{more}"

    def _fields(self) -> set[str]:
        """The names of fields in this type; any other key belongs to a value."""
        try:
            schema = self._adapter.json_schema()
        except PydanticUserError:
            return set()
        parts = [schema, *schema.get("$defs", {}).values()]
        return {name for part in parts for name in part.get("properties", ())}


def _step(step: str | int, fields: set[str]) -> str:
    return str(step) if isinstance(step, int) or step in fields else "*"


def _message(fault: ErrorDetails) -> str:
    if fault["type"] == "union_tag_invalid":
        return "its tag is none of the expected tags"
    return fault["msg"]


def _fault(error: Exception) -> str:
    """Tell the kind of a fault: the rest of pydantic's message holds pieces of the value."""
    text = str(error)
    for kind in ("Unable to serialize unknown type", "Circular reference", "Maximum serialization depth"):
        if kind in text:
            return text if kind.startswith("Unable") else kind.lower()
    return "a part of it is not of its declared type, or no valid text"
