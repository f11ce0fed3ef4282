"""What may be called what: the rules for names, checked before anything touches the database."""

from __future__ import annotations

import re
from typing import Final

from cuckmq.errors import InvalidName

MAX_NAME_LENGTH: Final = 200
MAX_GROUP_LENGTH: Final = 500
MAX_KEY_LENGTH: Final = 500

_SCHEMA: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,47}")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def check_schema_name(schema: object) -> str:
    """Refuse a schema name that is not a plain identifier of at most 48 characters.

    The name becomes part of every statement and of the notification channel. It is refused rather
    than quoted, so that no name can ever mean more than itself.

    Raises:
        InvalidName: it is not a letter or underscore followed by letters, digits and underscores,
            or it begins with `pg_`, which PostgreSQL keeps for itself.
    """
    if not isinstance(schema, str) or not _SCHEMA.fullmatch(schema):
        raise InvalidName(
            f"schema name {_shown(schema)} is not allowed: use a letter or underscore, then letters, "
            "digits or underscores, 48 characters at most"
        )
    if schema.lower().startswith("pg_"):
        raise InvalidName(f"schema name {schema!r} is not allowed: PostgreSQL keeps pg_ for itself")
    return schema


def check_name(kind: str, name: object) -> str:
    """Refuse the name of a job definition, channel or worker that is empty, long or unprintable.

    Args:
        kind: what the name names, for the message.
        name: at most 200 characters, none of them a control character or a lone surrogate.

    Raises:
        InvalidName: the name breaks that rule.
    """
    return _check_text(kind, name, MAX_NAME_LENGTH)


def check_job_group(job_group: object) -> str:
    """Refuse a job group that is empty, longer than 500 characters, or unprintable.

    Raises:
        InvalidName: the group breaks that rule.
    """
    return _check_text("job group", job_group, MAX_GROUP_LENGTH)


def check_unique_key(unique_key: object) -> str:
    """Refuse a unique key that is empty, longer than 500 characters, or unprintable.

    Raises:
        InvalidName: the key breaks that rule.
    """
    return _check_text("unique key", unique_key, MAX_KEY_LENGTH)


def _check_text(kind: str, text: object, max_length: int) -> str:
    if not isinstance(text, str):
        raise InvalidName(f"a {kind} is a string, not {_shown(text)}")
    if not 0 < len(text) <= max_length:
        raise InvalidName(f"{kind} {_shown(text)} has {len(text)} characters: allowed are 1 to {max_length}")
    if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in text):
        raise InvalidName(f"{kind} {_shown(text)} holds a control character: remove it")
    if _SURROGATE.search(text):
        raise InvalidName(f"{kind} {_shown(text)} holds a lone surrogate: it is not valid text")
    return text


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
