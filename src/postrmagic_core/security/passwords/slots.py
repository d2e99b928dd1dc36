"""At most so many hashings at once in a process, for both faces together: each takes its memory and a core."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager

from ..._lifecycle import after_fork
from ...errors import Overloaded


class Slots:
    """``size`` places; who gets none within ``wait`` seconds gets :class:`Overloaded`. Waiters are served in order."""

    def __init__(self, size: int, wait: float) -> None:
        self._size = size
        self._wait = wait
        self._forget()
        after_fork(self._forget)

    @contextmanager
    def held(self) -> Iterator[None]:
        """A place for the block; the thread waits for it."""
        ticket = self._ask()
        try:
            ticket.result(self._wait)
        except BaseException as error:
            if ticket.cancel():
                raise self._full() if isinstance(error, TimeoutError) else error from None
            if not isinstance(error, TimeoutError):  # it came together with an interrupt
                self._release()
                raise
        try:
            yield
        finally:
            self._release()

    @asynccontextmanager
    async def aheld(self) -> AsyncIterator[None]:
        """A place for the block; no thread waits for it."""
        ticket = self._ask()
        if not ticket.done():
            try:
                await asyncio.wait([asyncio.wrap_future(ticket)], timeout=self._wait)
            except BaseException:
                if not ticket.cancel():
                    self._release()
                raise
            if ticket.cancel():
                raise self._full()
        try:
            yield
        finally:
            self._release()

    def _ask(self) -> Future[None]:
        ticket: Future[None] = Future()
        with self._lock:
            if self._free:
                self._free -= 1
                ticket.set_running_or_notify_cancel()
                ticket.set_result(None)
            else:
                self._waiting.append(ticket)
        return ticket

    def _release(self) -> None:
        with self._lock:
            while self._waiting:
                ticket = self._waiting.popleft()
                if ticket.set_running_or_notify_cancel():
                    ticket.set_result(None)
                    return
            self._free += 1

    def _full(self) -> Overloaded:
        return Overloaded(f"{self._size} passwords are being hashed, and none was done within {self._wait:g} s")

    def _forget(self) -> None:
        """In a forked child nobody else hashes: those who held places did not come along."""
        self._lock = threading.Lock()
        self._free = self._size
        self._waiting: deque[Future[None]] = deque()
