"""The same connections for asyncio: a few for each event loop, handed from task to task."""

from __future__ import annotations

import asyncio
import select
import weakref
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from hiredis import HiredisError

from postrmagic_core._steps import adrive
from postrmagic_core.errors import BackendError, PoolExhausted
from postrmagic_core.stores.adapters._redis_client import Judge
from postrmagic_core.stores.adapters._redis_errors import LATE, HungUp, lost_script
from postrmagic_core.stores.adapters._redis_place import Address, Command, Place
from postrmagic_core.stores.adapters._redis_primary import confirm, reach
from postrmagic_core.stores.adapters._redis_steps import Call
from postrmagic_core.stores.adapters._redis_wire import CHUNK, MORE, keep_alive, packed, parser
from postrmagic_core.stores.circuit import Circuit

# Connections an event loop may open: beyond this many at once, commands queue for their turn.
_MOST = 16


class Line(asyncio.BufferedProtocol):
    """One connection, used by one task at a time. ``epoch``: see :class:`Place`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, epoch: int) -> None:
        self.epoch = epoch
        self._loop = loop
        self._reader = parser()
        # A view, since asyncio's TLS writes into slices; feed() takes it, whatever its stub says.
        self._buffer: Any = memoryview(bytearray(CHUNK))
        self._answer: asyncio.Future[list[Any]] | None = None
        self._replies: list[Any] = []
        self._count = 0
        self._until = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._closed = False

    def ask(self, data: bytes, count: int, until: float) -> asyncio.Future[list[Any]]:
        """Send ``data``; the answer is the next ``count`` replies, or ``TimeoutError`` at ``until`` (loop's time)."""
        answer = self._answer = self._loop.create_future()
        self._replies, self._count, self._until = [], count, until
        if self._closed:
            self._fail(HungUp([]))
            return answer
        # One timer outlives many exchanges: setting and cancelling one for each costs more than the parsing.
        if self._watch is None:
            self._watch = self._loop.call_at(until, self._overdue)
        self._transport.write(data)
        return answer

    @property
    def sent(self) -> bool:
        """Whether the server may have carried anything out: a single command's last byte has left, or one of many."""
        return self._count > 1 or (self._count == 1 and not self._transport.get_write_buffer_size())

    def spoiled(self) -> bool:
        """Whether the idle connection was closed by the server, or holds bytes nobody asked for."""
        return self._closed or bool(self._poll.poll(0)) or self._reader.has_data()

    def close(self) -> None:
        """Give it up: a late answer finds nobody."""
        self._closed = True
        if self._watch is not None:
            self._watch.cancel()
        self._transport.abort()

    def connection_made(self, transport: Any) -> None:
        """See :class:`asyncio.BaseProtocol`."""
        self._transport = transport
        sock = transport.get_extra_info("socket")
        keep_alive(sock)
        self._poll = select.poll()
        self._poll.register(sock.fileno(), select.POLLIN)

    def connection_lost(self, exc: Exception | None) -> None:
        """See :class:`asyncio.BaseProtocol`."""
        self._closed = True
        self._fail(exc or HungUp(self._replies))

    def get_buffer(self, sizehint: int) -> Any:
        """See :class:`asyncio.BufferedProtocol`."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """See :class:`asyncio.BufferedProtocol`."""
        answer = self._answer
        if answer is None or answer.done():
            self.close()
            return
        try:
            self._reader.feed(self._buffer, 0, nbytes)
            while len(self._replies) < self._count:
                reply = self._reader.gets(False)
                if reply is MORE:
                    return
                self._replies.append(reply)
        except HiredisError as error:
            self._fail(error)
        else:
            self._answer = None
            answer.set_result(self._replies)

    def _overdue(self) -> None:
        self._watch = None
        if self._answer is None:
            return
        if self._loop.time() < self._until:
            self._watch = self._loop.call_at(self._until, self._overdue)
        else:
            self._fail(TimeoutError(LATE))

    def _fail(self, error: Exception) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(error)


class _Loop:
    """One event loop's idle connections, and its turns to use one."""

    def __init__(self, loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Loop]) -> None:
        self._loops = loops
        self.turns = asyncio.Semaphore(_MOST)
        self.idle: list[Line] = []
        self.closing = self._until_the_loop_ends()

    async def turn(self, until: float) -> None:
        """Wait for a turn."""
        try:
            async with asyncio.timeout_at(until):
                await self.turns.acquire()
        except TimeoutError:
            raise PoolExhausted(f"all {_MOST} connections of this event loop stayed busy within the time-out") from None

    # What _redis_primary's procedure asks for.

    async def now(self) -> float:
        """The loop's seconds."""
        return asyncio.get_running_loop().time()

    async def dial(self, address: Address, place: Place, until: float) -> Line:
        """A connection that has said nothing yet."""
        loop, epoch, tls = asyncio.get_running_loop(), place.epoch, place.tls
        async with asyncio.timeout_at(until):
            _, line = await loop.create_connection(
                lambda: Line(loop, epoch), *address, ssl=tls, server_hostname=address.host if tls else None
            )
        return line

    async def say(self, line: Line, commands: Sequence[Command], until: float) -> list[Any]:
        """The replies, errors among them."""
        return await line.ask(packed(commands), len(commands), until)

    async def close(self) -> None:
        """Close what is idle; what is in use closes when it comes back."""
        while self.idle:
            self.idle.pop().close()
        await asyncio.sleep(0)  # transports close their sockets in the loop's next turn

    async def _until_the_loop_ends(self) -> AsyncGenerator[None, None]:
        # asyncio.run() and its like close every suspended async generator before they close the loop: the only
        # notice a library gets in time.
        try:
            yield
        finally:
            # A semaphore remembers its loop: left here, this object would keep alive the weak key it is found by.
            self._loops.pop(asyncio.get_running_loop(), None)
            await self.close()


class AsyncWires(Judge):
    """Exchanges like :class:`~postrmagic_core.stores.adapters._redis_client.Wires`, awaitable, on any event loop."""

    def __init__(self, place: Place, timeout: float, circuit: Circuit) -> None:
        super().__init__(place, timeout, circuit)
        self._loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Loop] = weakref.WeakKeyDictionary()

    async def exchange(self, commands: Sequence[Command], *, writes: bool) -> list[Any]:
        """See :meth:`Wires.exchange`; cancelled, it closes the connection, and the outcome of a write is unknown."""
        self._circuit.enter()
        running = asyncio.get_running_loop()
        mine = self._loops.get(running) or await self._begun(running)
        until = running.time() + self._timeout
        if mine.turns.locked():
            await mine.turn(until)
        else:
            await mine.turns.acquire()
        try:
            return await self._with(mine, commands, writes, until)
        finally:
            mine.turns.release()

    async def call(self, call: Call) -> Any:
        """See :meth:`Wires.call`."""
        try:
            return (await self.exchange((call.by_digest,), writes=call.writes))[0]
        except BackendError as error:
            if not lost_script(error):
                raise
        return (await self.exchange((call.by_source,), writes=call.writes))[0]

    async def close(self) -> None:
        """Close the running loop's connections; those of other loops close as their loops end."""
        mine = self._loops.pop(asyncio.get_running_loop(), None)
        if mine is not None:
            await mine.closing.aclose()

    async def _with(self, mine: _Loop, commands: Sequence[Command], writes: bool, until: float) -> list[Any]:
        line: Line | None = None
        data = packed(commands)
        try:
            if mine.idle and until > self._place.confirm_at + self._timeout:
                await adrive(confirm(self._place, until), mine)
            line = self._idle(mine) or await self._reached(mine, until)
            replies = await line.ask(data, len(commands), until)
        except BaseException as error:
            in_doubt = writes and line is not None and line.sent
            if line is not None:
                line.close()
            self.failed(error, in_doubt=in_doubt)
            raise
        mine.idle.append(line)
        return self.answered(replies)

    def _idle(self, mine: _Loop) -> Line | None:
        if not mine.idle:
            return None
        line = mine.idle.pop()
        if line.epoch == self._place.epoch and not line.spoiled():
            return line
        line.close()
        return None

    async def _reached(self, mine: _Loop, until: float) -> Line:
        line: Line = await adrive(reach(self._place, until), mine)
        return line

    async def _begun(self, running: asyncio.AbstractEventLoop) -> _Loop:
        mine = self._loops[running] = _Loop(self._loops)
        await anext(mine.closing)
        return mine
