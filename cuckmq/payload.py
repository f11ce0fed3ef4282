"""Payloads and results between Python and JSON text, checked by pydantic both ways.

What is stored must be what a worker can read back. So a payload is validated, written as JSON, and
the JSON is read once more before it leaves: what cannot come back is refused where it was made, not
discovered hours later by a worker.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from pydantic import PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from cuckmq.errors import CuckmqError, DefinitionError

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

    __slots__ = ("_adapter", "_what", "is_empty")

    def __init__(self, annotation: Any, what: str) -> None:
        self._what = what
        self.is_empty = annotation is None or annotation is type(None)
        try:
            make: Any = TypeAdapter
            self._adapter: TypeAdapter[T] = make(annotation)
        except (PydanticSchemaGenerationError, PydanticUserError) as error:
            raise DefinitionError(
                f"{what}: pydantic cannot handle {annotation!r}; use a model, dataclass, TypedDict "
                "or a plain type"
            ) from error

    def encode(self, value: T) -> str:
        """Write a value as JSON text that decode() will read.

        Raises:
            CodecError: of another type, not JSON, or holding a NUL or a lone surrogate.
        """
        if self.is_empty:
            if value is not None:
                raise CodecError(f"{self._what} is None, but a {type(value).__name__} was given")
            return "null"
        try:
            checked = self._adapter.validate_python(value, strict=True)
            text = self._adapter.dump_json(checked).decode()
            self._adapter.validate_json(text)
        except ValidationError as error:
            raise CodecError(self._explain(error)) from None
        except (
            PydanticSerializationError,
            UnicodeEncodeError,
            ValueError,
            RecursionError,
        ) as error:
            raise CodecError(f"{self._what} cannot be written as JSON: {error}") from None
        if "\\u0000" in text and _holds_nul(text):
            raise CodecError(f"{self._what} holds a NUL character, which Postgres cannot keep")
        return text

    def decode(self, text: str) -> T:
        """Read a value from JSON text.

        Raises:
            CodecError: not JSON, or not of the type.
        """
        if self.is_empty and text == "null":
            return None  # type: ignore[return-value]  # T is None here
        try:
            return self._adapter.validate_json(text)
        except ValidationError as error:
            raise CodecError(self._explain(error)) from None

    def _explain(self, error: ValidationError) -> str:
        """Say where it does not fit, without repeating the value: it may be a secret."""
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        told = "; ".join(
            f"{'.'.join(str(step) for step in fault['loc']) or 'value'}: {fault['msg']}"
            for fault in faults[:5]
        )
        more = f" (and {len(faults) - 5} more)" if len(faults) > 5 else ""
        return f"{self._what} does not fit: {told}{more}"


def _holds_nul(text: str) -> bool:
    """Whether JSON text escapes a NUL; an escaped backslash before `u0000` is no escape of one."""
    at = text.find("\\u0000")
    while at >= 0:
        num_backslashes = 0
        while text[at - num_backslashes - 1] == "\\":
            num_backslashes += 1
        if num_backslashes % 2 == 0:
            return True
        at = text.find("\\u0000", at + 1)
    return False
