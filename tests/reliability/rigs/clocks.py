"""Clocks that are wrong, by libfaketime (Debian's package `faketime`)."""

from __future__ import annotations

from pathlib import Path


def wrong_by(offset: str) -> dict[str, str]:
    """The environment of a process whose wall clock is off, as by `+1h`; its monotonic clock is right."""
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    assert libraries, "libfaketime is not there: install Debian's package `faketime`"
    return {
        "LD_PRELOAD": str(libraries[0]),
        "FAKETIME": offset,
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
