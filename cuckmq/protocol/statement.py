"""A call of one of the queue's SQL functions, as a value that anyone may run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from cuckmq.schema import render

RowT = TypeVar("RowT")


@dataclass(frozen=True, slots=True)
class Statement(Generic[RowT]):
    """SQL with its parameters, and how to read a row of its answer.

    Attributes:
        sql: a template in which `{schema}` stands for the queue's schema.
        parameters: bound by the server, never written into the SQL.
        read: makes a row out of the tuple the driver gives.
    """

    sql: str
    parameters: tuple[Any, ...]
    read: Callable[[tuple[Any, ...]], RowT]

    def text(self, schema: str) -> bytes:
        """Give the SQL for one schema, the same object each time, so that drivers know it again."""
        return _text(self.sql, schema)


@cache
def _text(sql: str, schema: str) -> bytes:
    return render(sql, schema).encode()


def only(row: tuple[Any, ...]) -> Any:
    """Read a row of one column."""
    return row[0]
