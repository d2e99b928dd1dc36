"""One connection on which a Redis server tells which keys changed: CLIENT TRACKING in broadcasting mode, over RESP3.

https://redis.io/docs/latest/develop/reference/client-side-caching/
"""

from __future__ import annotations

import select
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from postrmagic_core._steps import drive
from postrmagic_core.stores.adapters._redis_client import Wires
from postrmagic_core.stores.adapters._redis_place import Command, Place
from postrmagic_core.stores.adapters._redis_primary import reach
from postrmagic_core.stores.adapters._redis_wire import CHUNK, MORE, packed, parser
from postrmagic_core.stores.circuit import Circuit

# How often a caller takes what has come, a chunk at a time, before it has done enough.
_CHUNKS = 16


class _Polls(threading.local):
    """A polling object for each thread, since one cannot be asked by two at once."""

    def __init__(self, descriptor: int) -> None:
        self.poll = select.poll()
        self.poll.register(descriptor, select.POLLIN)


def watcher(descriptor: int) -> Callable[[], object]:
    """A function that says at once whether something has come, or the connection has ended; any thread may call it."""
    if hasattr(select, "epoll"):
        # Half the price of poll(). Closed with the last reference to it, so never while a thread asks.
        queue = select.epoll()
        queue.register(descriptor, select.EPOLLIN)
        return partial(queue.poll, 0, 1)
    polls = _Polls(descriptor)
    return lambda: polls.poll.poll(0)


class Link:
    """An authenticated connection that was asked for pushes of every key that begins with ``prefix``.

    Whoever calls a method holds the feed's lock; ``come``, ``busy`` and ``sure_until`` are read without it.
    ``busy``: something was taken from the socket and is not yet applied. ``sure_until``: until when (monotonic seconds)
    the feed vouches for what is near. ``asked_at``: when the question was sent that is not yet answered; ``answered``:
    the answer has come, but perhaps not all that came with it.
    """

    __slots__ = (
        "_epoch",
        "_place",
        "_reader",
        "_socket",
        "_wire",
        "answered",
        "asked_at",
        "busy",
        "come",
        "served",
        "sure_until",
    )

    def __init__(self, place: Place, timeout: float, prefix: bytes, now: float) -> None:
        wires = Wires(place, timeout, Circuit("redis", timeout))
        # Held, since it closes the socket when it goes; greeted, it has nothing more to read.
        self._wire = drive(reach(place, time.monotonic() + timeout), wires)
        self._socket = self._wire._sock
        self._place = place
        self._epoch: int = self._wire.epoch
        self._reader = parser()
        self.come = watcher(self._socket.fileno())
        self.busy = False
        self.served = False
        self.sure_until = 0.0
        self.asked_at: float | None = None
        track: Command = ("CLIENT", "TRACKING", "ON", "BCAST", *(("PREFIX", prefix) if prefix else ()))
        self._send(packed([("HELLO", 3), track]))
        self.ask(now)

    @property
    def elsewhere(self) -> bool:
        """Whether reads and writes have gone to another server since."""
        return self._place.epoch != self._epoch

    def serve(self) -> None:
        """From now on what is read may be kept; it is read by connections made from now on, to where this one leads."""
        if self.elsewhere:
            raise ConnectionResetError
        self._place.moved()
        self._epoch = self._place.epoch
        self.served = True

    def ask(self, now: float) -> None:
        """Send a PING; until it is answered nothing near is sure."""
        self.sure_until = 0.0
        self.asked_at = now
        self.answered = False
        self._send(packed([("PING",)]))

    def receive(self) -> Iterator[Any]:
        """The messages that have come; at the end ``busy`` says whether there may be more than a caller can take."""
        for _ in range(_CHUNKS):
            try:
                data = self._socket.recv(CHUNK)
            except (BlockingIOError, ssl.SSLWantReadError):
                self.busy = False
                return
            if not data:
                raise ConnectionResetError
            self._reader.feed(data)
            while (message := self._reader.gets()) is not MORE:
                yield message

    def close(self) -> None:
        """End the connection."""
        self._wire.close()

    def _send(self, data: bytes) -> None:
        # What does not fit into an idle connection's buffer goes to nobody who listens.
        if self._socket.send(data) != len(data):
            raise TimeoutError
