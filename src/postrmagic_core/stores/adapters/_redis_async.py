"""The same connections for asyncio: a few for each event loop, handed from task to task."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from redis.asyncio.connection import Connection, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from postrmagic_core.errors import PoolExhausted
from postrmagic_core.stores.adapters._redis_client import Command, connection_options
from postrmagic_core.stores.adapters._redis_errors import failure, refusal, replica
from postrmagic_core.stores.circuit import Circuit

# Connections an event loop may open: beyond this many at once, commands queue for their turn.
_MOST = 16


class _Loop:
    """One event loop's idle connections, and its turns to use one."""

    def __init__(self) -> None:
        self.turns = asyncio.Semaphore(_MOST)
        self.idle: list[Any] = []
        self.closing = self._until_the_loop_ends()

    async def close(self) -> None:
        """Close what is idle; what is in use closes when it comes back."""
        while self.idle:
            await self.idle.pop().disconnect(nowait=True)

    async def _until_the_loop_ends(self) -> AsyncGenerator[None, None]:
        # asyncio.run() and its like close every suspended async generator before they close the loop: the only
        # notice a library gets in time.
        try:
            yield
        finally:
            await self.close()


class AsyncWires:
    """Exchanges like :class:`~postrmagic_core.stores.adapters._redis_client.Wires`, awaitable, on any event loop."""

    def __init__(self, url: str, timeout: float, circuit: Circuit) -> None:
        self._options = connection_options(url, timeout) | {"retry": Retry(NoBackoff(), 0)}
        self._transport: type[Any] = SSLConnection if url.startswith("rediss:") else Connection
        self._timeout = timeout
        self._circuit = circuit
        self._loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Loop] = weakref.WeakKeyDictionary()

    async def exchange(self, commands: Sequence[Command], *, writes: bool) -> list[Any]:
        """See :meth:`Wires.exchange`; cancelled, it closes the connection, and the outcome of a write is unknown."""
        self._circuit.enter()
        until = time.monotonic() + self._timeout
        loop = await self._mine()
        try:
            async with asyncio.timeout(self._timeout):
                await loop.turns.acquire()
        except TimeoutError:
            raise PoolExhausted(
                f"all {_MOST} connections of this event loop stayed busy for {self._timeout:g} s"
            ) from None
        try:
            return await self._with(loop, commands, writes, until)
        finally:
            loop.turns.release()

    async def close(self) -> None:
        """Close the running loop's connections; those of other loops close as their loops end."""
        loop = self._loops.pop(asyncio.get_running_loop(), None)
        if loop is not None:
            await loop.closing.aclose()

    async def _with(self, loop: _Loop, commands: Sequence[Command], writes: bool, until: float) -> list[Any]:
        wire = loop.idle.pop() if loop.idle else self._transport(**self._options)
        sent = False
        try:
            async with asyncio.timeout(until - time.monotonic()):
                if wire.is_connected and await wire.can_read():
                    await wire.disconnect(nowait=True)
                await wire.connect()
                # asyncio may send after this call has failed: from here on a write is in doubt.
                sent = True
                await wire.send_packed_command(wire.pack_commands(commands), check_health=False)
                replies = [await _reply(wire) for _ in commands]
        except BaseException as error:
            await wire.disconnect(nowait=True)
            if not isinstance(error, Exception):
                raise
            self._circuit.failed()
            ours = failure(error, in_doubt=writes and sent)
            if ours is None:
                raise
            raise ours from error
        self._circuit.succeeded()
        refused = next((reply for reply in replies if isinstance(reply, Exception)), None)
        if refused is not None and replica(refused):
            await wire.disconnect(nowait=True)
        loop.idle.append(wire)
        if refused is not None:
            raise refusal(refused) from refused
        return replies

    async def _mine(self) -> _Loop:
        running = asyncio.get_running_loop()
        loop = self._loops.get(running)
        if loop is None:
            loop = self._loops[running] = _Loop()
            await anext(loop.closing)
        return loop


async def _reply(wire: Any) -> Any:
    try:
        return await wire.read_response(disable_decoding=True)
    except ResponseError as error:
        return error
