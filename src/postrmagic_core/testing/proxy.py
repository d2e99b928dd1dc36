"""A TCP proxy between a client and its server that breaks what passes, on command and exactly once if so told."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Collection, Coroutine
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar
from urllib.parse import SplitResult, urlsplit

from postrmagic_core._lifecycle import Lifecycle
from postrmagic_core.testing._link import CHUNK, Cut, Link

T = TypeVar("T")
Direction = Literal["both", "requests", "replies"]
Ending = Literal["close", "reset", "hang"]
_MAX_LINKS = 256
_CALL_TIMEOUT = 10.0


@dataclass(eq=False)
class _Fault:
    """What is broken now; ``on`` arms it: it strikes a connection from the first request that contains these bytes."""

    on: bytes | None = None
    latency: float = 0.0
    hold: Direction | None = None
    cut: Cut | None = None
    times: int | None = None
    slice_size: int = 0
    slice_pause: float = 0.0
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class FaultProxy(Lifecycle):
    """``with FaultProxy(server.url) as proxy: client = connect(proxy.url); proxy.blackhole(); …; proxy.heal()``.

    One fault at a time: a new one replaces the last. A fault without ``on`` strikes every connection, open ones too;
    with ``on`` it strikes a connection from its first request that contains those bytes (``b"INCR"``, ``b"COMMIT"``).
    :attr:`hits` counts how often the fault bit: a test asserts it, or it has proved nothing.
    """

    port: int
    hits: int
    accepted: int

    def __init__(self, url: str) -> None:
        super().__init__()
        self._target = _address(url)
        self._behind = self._target
        self._links: dict[Link, asyncio.Task[Any]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._server: asyncio.Server | None = None
        self._fault: _Fault | None = None
        self.port = 0
        self.hits = 0
        self.accepted = 0

    @property
    def url(self) -> str:
        """The server's URL, through the proxy."""
        self.ensure_open()
        user, at, _ = self._target.netloc.rpartition("@")
        return self._target._replace(netloc=f"{user}{at}127.0.0.1:{self.port}").geturl()

    @property
    def connections(self) -> int:
        """How many connections are open now; :attr:`accepted` counts all there ever were."""
        return len(self._links)

    def latency(self, seconds: float, *, on: bytes | None = None) -> None:
        """Deliver every chunk of a reply ``seconds`` late."""
        self._break(_Fault(on=on, latency=seconds))

    def blackhole(self, direction: Direction = "both", *, on: bytes | None = None) -> None:
        """Let nothing through, connections stay open; what was sent meanwhile arrives after :meth:`heal`.

        As TCP does when a route comes back: a client that read on would get an old reply to a new question.
        """
        self._break(_Fault(on=on, hold=direction))

    def cut(self, after: int = 0, *, on: bytes | None = None, how: Ending = "close", times: int | None = 1) -> None:
        """Let ``after`` bytes of the next reply through, then end the connection; the server has done its work.

        ``how``: ``"close"`` (FIN), ``"reset"`` (RST) or ``"hang"`` (open, and silent for ever). It happens ``times``
        times and then heals by itself; ``None`` means always.
        """
        self._break(_Fault(on=on, cut=Cut(after, how), times=times))

    def slice(self, size: int = 1, pause: float = 0.0) -> None:
        """Deliver replies in pieces of ``size`` bytes, ``pause`` seconds apart."""
        self._break(_Fault(slice_size=size, slice_pause=pause))

    def refuse(self) -> None:
        """Reset every connection and refuse new ones, as a server that is down; counts as one hit once seen to."""
        self._call(self._shut())
        self.hits = 0
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", self.port), 1.0):
            raise AssertionError(f"port {self.port} still accepts connections")
        self.hits = 1

    def reset_all(self) -> None:
        """Reset every open connection once; new ones pass. ``hits`` grows by their number."""
        self._call(self._reset_links())

    def redirect(self, url: str) -> None:
        """Lead new connections to the server of ``url``, as an address does after a failover; open ones stay."""
        self._behind = _address(url)

    def heal(self) -> None:
        """End the fault; ``hits`` keeps its count until the next fault."""
        self._call(self._change(None))
        self._call(self._listen())

    def _break(self, fault: _Fault) -> None:
        self.ensure_open()
        self.hits = 0
        self._call(self._change(fault))
        self._call(self._listen())

    # All below runs in the proxy's own thread and loop.

    def _open(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="postrmagic-proxy")
        self._thread.start()
        self._call(self._listen())

    def _close(self) -> None:
        self._call(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CALL_TIMEOUT)
        self._loop.close()
        self._server, self.port = None, 0

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_CALL_TIMEOUT)

    async def _listen(self) -> None:
        if self._server is None:
            listener = socket.create_server(("127.0.0.1", self.port), backlog=_MAX_LINKS)
            self.port = listener.getsockname()[1]
            self._server = await asyncio.start_server(self._accept, sock=listener)

    async def _shut(self) -> None:
        await self._change(None)
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._reset_links()
        for task in self._tasks:  # connections still being made
            task.cancel()
        await _settled(self._tasks)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for other in others:
            other.cancel()
        await _settled(others)
        for _ in range(2):  # transports close their sockets in the loop's next turns
            await asyncio.sleep(0)

    async def _reset_links(self) -> None:
        self.hits += len(self._links)
        for link in self._links:
            link.reset()
        await _settled(self._links.values())

    async def _change(self, fault: _Fault | None) -> None:
        if self._fault is not None:
            self._fault.ended.set()
        self._fault = fault

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._links) >= _MAX_LINKS:
            writer.transport.abort()
            return
        self.accepted += 1
        self._tasks.add(task)
        try:
            await self._serve(task, reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # an ended connection is this proxy's trade; a cancelled one belongs to a closed proxy
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _serve(self, task: asyncio.Task[Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind = await asyncio.open_connection(self._behind.hostname, self._behind.port)
        link = Link(reader, writer, *behind)
        self._links[link] = task
        pumps = [asyncio.ensure_future(self._requests(link)), asyncio.ensure_future(self._replies(link))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            del self._links[link]
            await link.close()

    async def _requests(self, link: Link) -> None:
        while data := await link.client_in.read(CHUNK):
            fault = self._fault
            if fault is not None and fault.on is not None and link.asks_for(fault.on, data):
                link.struck = fault
            await self._maybe_hold(link, "requests")
            link.server_out.write(data)
            await link.server_out.drain()
        await self._maybe_hold(link, "requests")

    async def _replies(self, link: Link) -> None:
        while data := await link.server_in.read(CHUNK):
            await self._maybe_hold(link, "replies")
            fault = self._striking(link)
            if fault is None:
                await link.deliver(data)
            elif fault.cut is not None:
                if await link.deliver_until(fault.cut, fault, data):
                    return await self._finish_cut(link, fault, fault.cut)
            else:
                self.hits += 1
                await asyncio.sleep(fault.latency)
                await link.deliver_sliced(data, fault.slice_size or len(data), fault.slice_pause)
        return await self._maybe_hold(link, "replies")

    async def _finish_cut(self, link: Link, fault: _Fault, cut: Cut) -> None:
        self.hits += 1
        if fault.times is not None and self.hits >= fault.times and self._fault is fault:
            await self._change(None)
        if cut.how == "reset":
            link.reset()
        elif cut.how == "hang":
            await asyncio.Event().wait()

    async def _maybe_hold(self, link: Link, direction: Direction) -> None:
        fault = self._striking(link)
        if fault is not None and fault.hold in {direction, "both"}:
            self.hits += 1
            await fault.ended.wait()

    def _striking(self, link: Link) -> _Fault | None:
        fault = self._fault
        return fault if fault is not None and (fault.on is None or link.struck is fault) else None


def _address(url: str) -> SplitResult:
    parts = urlsplit(url)
    if not parts.hostname or not parts.port:
        raise ValueError("expected a URL with host and port to stand in front of")
    return parts


async def _settled(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Wait for tasks that were told to end, a second at most."""
    if tasks:
        await asyncio.wait(list(tasks), timeout=1.0)
