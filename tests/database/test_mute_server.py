"""A server lets us in and says nothing more. A connection begins with a question, and that has its limit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from cuckmq.database import connect as module
from cuckmq.database.connect import connect, connect_sync
from cuckmq.database.database import Database
from cuckmq.protocol.inspect import find_version
from tests.support.eventually import eventually

LIMIT_SECS = 0.3
WELCOME = (
    b"R\0\0\0\x08\0\0\0\0"  # the login is done
    b"K\0\0\0\x0c\0\0\0\x01\0\0\0\x01"  # the process and its key
    b"Z\0\0\0\x05I"  # ready for a question
)


class MuteServer:
    """Lets everyone in.

    Attributes:
        dsn: where it is.
        num_guests: how many it has let in.
    """

    dsn = ""
    num_guests = 0


@pytest.fixture
async def mute(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MuteServer]:
    monkeypatch.setattr(module, "HELLO_SECS", LIMIT_SECS)
    mute = MuteServer()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big") - 4)
        writer.write(WELCOME)
        mute.num_guests += 1
        while await reader.read(65_536):
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1")
    port = server.sockets[0].getsockname()[1]
    async with server:
        mute.dsn = f"host=127.0.0.1 port={port} user=any dbname=any sslmode=disable gssencmode=disable"
        yield mute


async def test_who_connects_gives_up(mute: MuteServer) -> None:
    with pytest.raises(psycopg.OperationalError):
        await asyncio.wait_for(connect(mute.dsn), 5)


async def test_who_connects_in_a_thread_gives_up(mute: MuteServer) -> None:
    """Such as the heart, whose thread nobody else could free."""
    with pytest.raises(psycopg.OperationalError):
        await asyncio.wait_for(asyncio.to_thread(connect_sync, mute.dsn), 5)


async def test_the_pool_goes_on_making_connections(mute: MuteServer) -> None:
    """It has few hands for that, and none is kept for good."""
    database = Database(mute.dsn, schema="any", listen_dsn=None)
    asking = asyncio.create_task(database.run(find_version()))
    await eventually(lambda: mute.num_guests == 3)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await database.close()
