"""A server that is reached by itself, and through a proxy that can fall silent."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

import pytest
from psycopg.conninfo import make_conninfo

from tests.reliability.rigs.listening import listening_server, own_address
from tests.reliability.rigs.proxy import Proxy, proxy_before
from tests.support.database import PrivateCluster


@pytest.fixture
def address() -> str:
    """Where the server listens."""
    return own_address()


@pytest.fixture
def dsn(new_cluster: Callable[..., PrivateCluster], address: str) -> str:
    """A server that listens for TCP."""
    return listening_server(new_cluster, address)


@pytest.fixture
async def proxy(address: str) -> AsyncGenerator[Proxy]:
    async with proxy_before(address, 5432) as made:
        yield made


@pytest.fixture
def by_proxy(dsn: str, proxy: Proxy) -> str:
    """The DSN that goes through the proxy."""
    return make_conninfo(dsn, host="127.0.0.1", port=proxy.port)
