"""What is written to the log may fail, and harms nobody."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator

import pytest

from cuckmq.log import get_log


class Raising(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raise OSError("no room")


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("cuckmq.test_log")
    yield logger
    logger.handlers.clear()


@pytest.mark.fault("G7")
def test_a_handler_that_raises(logger: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    log = get_log(logger.name)
    logger.addHandler(Raising())
    with pytest.raises(OSError, match="no room"):
        logger.error("as it would be")
    log.error("x")
    log.warning("x %s", 1, exc_info=ValueError("y"))
    logger.handlers.clear()
    log.warning("again %s", 1)
    assert caplog.messages == ["again 1"]


@pytest.mark.fault("G7")
def test_stderr_is_closed(logger: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then Python's own handler raises, by telling that it cannot write."""
    closed = io.StringIO()
    closed.close()
    logger.addHandler(logging.StreamHandler(closed))
    monkeypatch.setattr(sys, "stderr", closed)
    with pytest.raises(ValueError, match="closed"):
        logger.error("as it would be")
    get_log(logger.name).error("x")


def test_a_line_tells_who_wrote_it(logger: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    get_log(logger.name).warning("x")
    assert caplog.records[0].funcName == "test_a_line_tells_who_wrote_it"
    assert caplog.records[0].name == logger.name


def test_a_line_that_nobody_wants_is_not_made(logger: logging.Logger) -> None:
    class Dear:
        def __str__(self) -> str:
            raise AssertionError

    get_log(logger.name).debug("%s", Dear())
