"""One server per run, one database per process of the run, one schema per test.

`tests.support.database` tells where the server comes from; the first lines of the run say so.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from cuckmq import Context
from cuckmq.database.embedded import EmbeddedPostgres
from cuckmq.errors import NoDatabase
from tests.reliability.catalogue import note
from tests.support.database import Database, PrivateCluster, TestServer, own_database, start_server
from tests.support.database.place import place
from tests.support.database.settings import SETTINGS, wanted_major

SERVER = pytest.StashKey[TestServer]()


def pytest_configure(config: pytest.Config) -> None:
    """Start the server, in the process that leads the run."""
    is_xdist_worker = hasattr(config, "workerinput")
    if is_xdist_worker or config.option.collectonly or config.option.help or config.option.version:
        return
    try:
        server = start_server()
    except NoDatabase as error:
        raise pytest.UsageError(
            f"tests need a PostgreSQL server (or set CUCKMQ_TEST_DATABASE_URL): {error}"
        ) from error
    config.stash[SERVER] = server
    config.add_cleanup(server.close)


def pytest_report_header(config: pytest.Config) -> str | None:
    server = config.stash.get(SERVER, None)
    return None if server is None else f"database: {server}"


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a new worker of pytest-xdist where the server is."""
    server = node.config.stash[SERVER]
    node.workerinput["cuckmq_server"] = (server.dsn, str(server))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes long, unless a mark asks for it (`make faults`), and what only root can try."""
    unwanted = [] if config.option.markexpr else ["full"]
    unwanted += [] if os.geteuid() == 0 else ["as_root"]
    left_out = [item for item in items if any(item.get_closest_marker(name) for name in unwanted)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture
def recovered() -> Callable[[str, float], None]:
    """`recovered("A1", secs)` tells how long a recovery took, and fails if that was too long."""
    return note


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[Database]:
    """This process's own database on the server of the run: `.dsn`."""
    worker: dict[str, Any] | None = getattr(request.config, "workerinput", None)
    if worker is None:
        leading = request.config.stash[SERVER]
        dsn, description, owner = leading.dsn, str(leading), "main"
    else:
        (dsn, description), owner = worker["cuckmq_server"], worker["workerid"]
    with own_database(dsn, description, owner) as database:
        yield database


@pytest.fixture(scope="session")
def dsn(server: Database) -> str:
    return server.dsn


@pytest.fixture
def schema(dsn: str) -> Iterator[str]:
    """A name for a schema that nobody else has. What the test makes under it is dropped."""
    name = f"test_{secrets.token_hex(4)}"
    yield name
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(name)))


@pytest.fixture
async def context(dsn: str, schema: str) -> AsyncIterator[Context]:
    """A context whose schema is migrated, and whose queue must be in order at the end of the test."""
    async with Context(dsn, schema=schema) as context:
        await context.migrate()
        yield context
        assert await context.jobs.find_problems() == []


@pytest.fixture
def new_cluster() -> Iterator[Callable[..., PrivateCluster]]:
    """Make servers for this test alone: `new_cluster(settings={...}, major=...)`."""
    servers: list[EmbeddedPostgres] = []

    def make(*, major: int | None = None, settings: dict[str, str] | None = None) -> PrivateCluster:
        server = EmbeddedPostgres.temporary(
            place(), major=major or wanted_major(), settings={**SETTINGS, **(settings or {})}
        )
        servers.append(server)
        return PrivateCluster(server)

    yield make
    for server in servers:
        server.close()


@pytest.fixture
def private_cluster(new_cluster: Callable[..., PrivateCluster]) -> PrivateCluster:
    """A server for this test alone, to be stopped, killed and restarted at will."""
    return new_cluster()
