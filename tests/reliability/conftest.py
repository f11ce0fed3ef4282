from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from cuckmq import Context
from tests.reliability.rig import Rig, rig_for


@pytest.fixture
async def rig(dsn: str, schema: str, tmp_path: Path) -> AsyncGenerator[Rig]:
    async with rig_for(dsn, schema, tmp_path) as (rig, context):
        rig.context = context  # type: ignore[attr-defined]
        yield rig
        assert await context.jobs.find_problems() == []


@pytest.fixture
def queue(rig: Rig) -> Context:
    """The context of the rig: enqueues, and knows the program's jobs."""
    return rig.context  # type: ignore[attr-defined]
