"""What each connection tells the server of the network between them, and what it leaves alone."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from cuckmq import Context
from cuckmq.database.connect import SERVER_DEFAULTS, connect, cut, with_defaults
from tests.support.eventually import eventually

ASK = "select name, source, setting from pg_settings where name = any(%s)"


async def settings_of(dsn: str) -> dict[str, tuple[str, str]]:
    connection = await connect(dsn)
    try:
        cursor = await connection.execute(ASK, ([*SERVER_DEFAULTS],))
        return {name: (source, setting) for name, source, setting in await cursor.fetchall()}
    finally:
        await connection.close()


async def test_the_server_is_told_to_notice_dead_peers(dsn: str):
    """E35: by each connection of a worker, and by those of the pool."""
    expected = dict.fromkeys(SERVER_DEFAULTS, "session")
    assert {name: source for name, (source, _) in (await settings_of(dsn)).items()} == expected
    async with Context(dsn) as context, context.database.connection() as connection:
        cursor = await connection.execute(ASK, ([*SERVER_DEFAULTS],))
        assert {name: source for name, source, _ in await cursor.fetchall()} == expected


async def test_what_the_dsn_says_stays(dsn: str):
    said = make_conninfo(dsn, options="-c client_connection_check_interval=7s", tcp_user_timeout=9000)
    settings = await settings_of(said)
    assert settings["client_connection_check_interval"] == ("client", "7000")
    assert settings["tcp_keepalives_idle"][0] == "session"
    ours = conninfo_to_dict(with_defaults(said))
    assert (ours["tcp_user_timeout"], ours["keepalives_idle"]) == ("9000", "5")


async def test_what_was_set_for_the_role_stays(dsn: str, schema: str):
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as owner:
        await owner.execute(f"create role {schema} login superuser")
        try:
            await owner.execute(f"alter role {schema} set client_connection_check_interval = 3000")
            settings = await settings_of(make_conninfo(dsn, user=schema))
        finally:
            await owner.execute(f"drop role {schema}")
    assert settings["client_connection_check_interval"] == ("user", "3000")


async def test_what_was_cut_fails_at_once(dsn: str):
    connection = await connect(dsn)
    cut(connection)
    with pytest.raises(psycopg.OperationalError):
        await connection.execute("select pg_sleep(60)")
    await connection.close()
    cut(connection)


async def test_closing_leaves_no_task_of_those_who_gave_up(schema: str):
    """E15: a loop that ended then would tell of each as an error. Here no server answers, so all wait."""
    context = Context("host=127.0.0.1 port=1", schema=schema)
    before = asyncio.all_tasks()
    waiting = [asyncio.create_task(ask_for_a_connection(context)) for _ in range(3)]
    await eventually(lambda: len(asyncio.all_tasks() - before) > 2 * len(waiting), why="they wait for one")
    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await context.close()
    assert asyncio.all_tasks() - before == set()


async def ask_for_a_connection(context: Context) -> None:
    async with context.database.connection():
        pass
