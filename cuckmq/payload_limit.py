"""How large a payload may be.

A job is a row, and it is read by whoever claims it: a payload of many megabytes makes each look at its job
dear, and a worker holds one for each of its lanes. PostgreSQL itself refuses a row only at 1 GB, and then the
call is broken off in the middle. So there is a limit, which says early that a file belongs elsewhere.
"""

from __future__ import annotations

from typing import Final

from cuckmq.errors import PayloadTooLarge
from cuckmq.types import as_count

DEFAULT_MAX_PAYLOAD_BYTES: Final = 16 * 1024 * 1024
"""Far above what jobs say, so that only an accident meets it; and many of them still fit into memory."""
MAX_PAYLOAD_BYTES: Final = 1_000_000_000
"""What PostgreSQL can just keep in a row."""

_MAX_BYTES_A_CHARACTER: Final = 4


def as_payload_limit(value: object) -> int:
    """Read a limit.

    Raises:
        ConfigurationError: not a whole number, or more than PostgreSQL keeps.
    """
    return as_count("max_payload_bytes", value, minimum=1, maximum=MAX_PAYLOAD_BYTES)


def check_payload_size(text: str, name: str, limit_bytes: int) -> None:
    """Refuse the payload of a job of this name if its JSON text is too large.

    Raises:
        PayloadTooLarge: it is.
    """
    if len(text) * _MAX_BYTES_A_CHARACTER <= limit_bytes:
        return  # as nearly always: then nothing has to be counted
    size_bytes = len(text.encode())
    if size_bytes > limit_bytes:
        raise PayloadTooLarge(
            f"the payload of job {name!r} is {size_bytes:,} bytes of JSON, and {limit_bytes:,} are allowed:"
            " put in the name of what is kept elsewhere, or raise max_payload_bytes of job or context",
            name=name,
            size_bytes=size_bytes,
            limit_bytes=limit_bytes,
        )
