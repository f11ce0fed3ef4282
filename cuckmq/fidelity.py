"""What JSON in Postgres does not keep, and pydantic does not say.

Postgres refuses an escaped NUL. Pydantic writes a NaN as null, or as a word that is no JSON, a secret as ten
asterisks, and a lone surrogate in a key as replacement characters; all of them can be read back as
something else than what was put in.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from pydantic import SecretBytes, SecretStr


def looks_lossy(text: str) -> bool:
    """A quick look at JSON text, so that most values need no slow one."""
    # Written out, as it is asked of each payload: half a microsecond, and five for a loop over a list.
    return "null" in text or "NaN" in text or "Infinity" in text or "**********" in text or "\ufffd" in text


def holds_constant(text: str) -> bool:
    """Whether text has one of the words for numbers that pydantic knows and JSON does not."""
    constants: list[str] = []
    json.loads(text, parse_constant=constants.append, parse_int=str)
    return bool(constants)


def is_lost(value: Any, again: Any) -> bool:
    """Whether a part of a value came back as something else: a NaN, a secret, a key that is no text."""
    match value:
        case float():
            return not math.isfinite(value) and not isinstance(again, float)
        case SecretStr() | SecretBytes():
            return bool(value != again)
        case Mapping():
            return any(
                (isinstance(key, str) and key not in again) or is_lost(value[key], again.get(key))
                for key in value
            )
        case list() | tuple():
            return any(map(is_lost, value, again))
        case _:
            return False


def holds_nul(text: str) -> bool:
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
