"""A TCP proxy that can be slow, deaf, mute or asleep, for what packets on a wire cannot play.

To TCP all is well: whoever asks for acknowledgements gets them. Only what was said does not arrive.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Proxy:
    """Stands before a server on the loopback.

    Attributes:
        port: where it listens.
        num_accepted: how many connections it has taken.
        num_unheard: how often something was said on a connection that it has forgotten.
        latency_secs: how much later, each way, what was said arrives.
        is_forwarding: whether what clients say arrives. What does not is held, and lost with the connection.
        is_answering: whether what the server says arrives.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self.port = 0
        self.num_accepted = 0
        self.num_unheard = 0
        self.latency_secs = 0.0
        self.is_forwarding = self.is_answering = True
        self._changed = asyncio.Condition()
        self._forgotten: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def let(self, *, forward: bool = True, answer: bool = True) -> None:
        """Let what was said arrive, or hold it from now on."""
        self.is_forwarding, self.is_answering = forward, answer
        async with self._changed:
            self._changed.notify_all()

    def forget(self) -> None:
        """Deliver nothing more of what is said on the connections that are there; new ones are well."""
        self._forgotten |= self._writers

    def hang_up(self) -> None:
        """Break every connection, with what is held in it."""
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection, and carry on."""
        self.num_accepted += 1
        self._writers.add(writer)
        ends = [writer]
        try:
            there_reader, there_writer = await asyncio.open_connection(*self._server)
            self._writers.add(there_writer)
            ends.append(there_writer)
            carriers = [
                asyncio.create_task(self._carry(reader, there_writer, is_answer=False)),
                asyncio.create_task(self._carry(there_reader, writer, is_answer=True)),
            ]
            self._tasks.update(carriers)
            await asyncio.wait(carriers, return_when=asyncio.FIRST_COMPLETED)
            for carrier in carriers:
                carrier.cancel()
            await asyncio.gather(*carriers, return_exceptions=True)
            self._tasks.difference_update(carriers)
        finally:
            for end in ends:
                self._writers.discard(end)
                self._forgotten.discard(end)
                end.transport.abort()

    def _is_delivering(self, writer: asyncio.StreamWriter, *, is_answer: bool) -> bool:
        return writer not in self._forgotten and (self.is_answering if is_answer else self.is_forwarding)

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool
    ) -> None:
        loop = asyncio.get_running_loop()
        due: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                at, said = await due.get()
                await asyncio.sleep(at - loop.time())
                async with self._changed:
                    await self._changed.wait_for(lambda: self._is_delivering(writer, is_answer=is_answer))
                writer.write(said)
                await writer.drain()

        delivery = asyncio.create_task(deliver())
        try:
            with contextlib.suppress(OSError):
                while said := await reader.read(65_536):
                    self.num_unheard += writer in self._forgotten
                    due.put_nowait((loop.time() + self.latency_secs, said))
        finally:
            delivery.cancel()
            await asyncio.gather(delivery, return_exceptions=True)


@asynccontextmanager
async def proxy_before(
    host: str, port: int, *, at: tuple[str, int] = ("127.0.0.1", 0)
) -> AsyncGenerator[Proxy]:
    """Run a proxy before a server, at an address and port of the loopback."""
    proxy = Proxy(host, port)
    server = await asyncio.start_server(proxy.serve, *at)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.hang_up()
        await server.wait_closed()
