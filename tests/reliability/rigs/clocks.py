"""Clocks that are wrong, by libfaketime (Debian's package `faketime`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest


def wrong_by(offset: str) -> dict[str, str]:
    """The environment of a process whose wall clock is off, as by `+1h`; its monotonic clock is right."""
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    assert libraries, "libfaketime is not there: install Debian's package `faketime`"
    return {
        "LD_PRELOAD": str(libraries[0]),
        "FAKETIME": offset,
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def read_from(file: Path) -> dict[str, str]:
    """The environment of a process whose wall clock is as wrong as a file says: `+0`, `-2h`."""
    environment = wrong_by("+0")
    del environment["FAKETIME"]
    return {**environment, "FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_NO_CACHE": "1"}


def put_clock(file: Path, offset: str) -> None:
    """Put such a clock, at once: never a half of a word."""
    new = file.with_suffix(".new")
    new.write_text(f"{offset}\n")
    new.replace(file)


@contextmanager
def applied(environment: Mapping[str, str]) -> Iterator[None]:
    """Give the environment to all that is started meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        yield
