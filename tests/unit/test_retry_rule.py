"""Which exceptions may be tried again."""

from __future__ import annotations

import pytest

from cuckmq.retry_rule import Exceptions, may_retry


@pytest.mark.parametrize(
    ("error", "retry_on", "no_retry_on", "expected"),
    [
        (ValueError(), None, None, True),
        (SystemExit(), None, None, True),
        (ValueError(), (ValueError,), None, True),
        (ValueError(), (OSError, KeyError), None, False),
        (FileNotFoundError(), (OSError,), None, True),
        (ValueError(), None, (ValueError,), False),
        (KeyError(), None, (LookupError,), False),
        (ValueError(), None, (OSError,), True),
        (FileNotFoundError(), (OSError,), (FileNotFoundError,), False),
        (PermissionError(), (OSError,), (FileNotFoundError,), True),
        (OSError(), (FileNotFoundError,), (OSError,), False),
    ],
)
def test_the_rule(
    error: BaseException, retry_on: Exceptions | None, no_retry_on: Exceptions | None, expected: bool
) -> None:
    """F4: a class stands for its subclasses, and no_retry_on wins."""
    assert may_retry(error, retry_on, no_retry_on) is expected
