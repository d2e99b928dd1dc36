"""Sync operations lifted into asyncio, one operation at a time.

:class:`Bridge` runs short operations on a bounded executor; :class:`Lanes` gives a long-lived owner (a database unit) a
thread of its own, so that a blocking wait for a lock never sits in the shared executor.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, ParamSpec, TypeVar

from ._lifecycle import after_fork

P = ParamSpec("P")
R = TypeVar("R")


class Bridge:
    """A bounded executor for lifted operations; its threads start on first use and not before a fork.

    ``threads`` bounds how many operations block at once; further ones wait in order.
    """

    def __init__(self, threads: int = 8, name: str = "postrmagic") -> None:
        if threads < 1:
            raise ValueError(f"threads must be at least 1, got {threads}")
        self._threads = threads
        self._name = name
        self._executor: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        after_fork(self._forget)

    async def lift(self, call: Callable[[], R], *, undo: Callable[[R], object] | None = None) -> R:
        """Run ``call`` in a thread, with the caller's context variables.

        Cancelled, it waits for ``call`` to end by its own time-out, hands what it returned to ``undo`` (a lease to
        release, a connection to close), and only then raises :class:`asyncio.CancelledError`.
        """
        return await _lifted(self._pool(), call, undo)

    def close(self) -> None:
        """End the threads, after what they are doing."""
        with self._lock:
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=True)

    def _pool(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(self._threads, thread_name_prefix=self._name)
            return self._executor

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._executor = None


class Lane:
    """One thread that belongs to one owner until it is given back."""

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def run(self, call: Callable[[], R], *, undo: Callable[[R], object] | None = None) -> R:
        """:meth:`Bridge.lift` on this lane's own thread."""
        return await _lifted(self._executor, call, undo)

    def stop(self) -> None:
        """End the thread."""
        self._executor.shutdown(wait=False)


class Lanes:
    """At most ``size`` lanes at once, over all event loops; waiting for one costs no thread and can be cancelled."""

    def __init__(self, size: int, name: str = "postrmagic-lane") -> None:
        if size < 1:
            raise ValueError(f"size must be at least 1, got {size}")
        self._size = size
        self._name = name
        self._lock = threading.Lock()
        self._idle: list[Lane] = []
        self._waiting: deque[Future[Lane]] = deque()
        self._made = 0
        self._closed = False
        after_fork(self._forget)

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[Lane]:
        """Own a lane for the block; waiters are served in order."""
        lane = await self._acquire()
        try:
            yield lane
        finally:
            self._release(lane)

    def close(self) -> None:
        """End the idle lanes' threads; lanes in use end when they are given back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for lane in idle:
            lane.stop()

    async def _acquire(self) -> Lane:
        with self._lock:
            if self._idle:
                return self._idle.pop()
            if self._made < self._size:
                self._made += 1
                return Lane(self._name)
            ticket: Future[Lane] = Future()
            self._waiting.append(ticket)
        try:
            return await asyncio.wrap_future(ticket)
        except asyncio.CancelledError:
            if not ticket.cancel() and not ticket.cancelled():
                self._release(ticket.result())
            raise

    def _release(self, lane: Lane) -> None:
        with self._lock:
            while self._waiting:
                ticket = self._waiting.popleft()
                if ticket.set_running_or_notify_cancel():
                    ticket.set_result(lane)
                    return
            if not self._closed:
                self._idle.append(lane)
                return
        lane.stop()

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._idle = []
        self._waiting = deque()
        self._made = 0


async def _lifted(executor: ThreadPoolExecutor, call: Callable[[], R], undo: Callable[[R], object] | None) -> R:
    loop = asyncio.get_running_loop()
    future = loop.run_in_executor(executor, partial(contextvars.copy_context().run, call))
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await settled(future)
        if undo is not None and future.exception() is None:
            await settled(loop.run_in_executor(executor, partial(undo, future.result())))
        raise


async def settled(future: asyncio.Future[Any]) -> asyncio.CancelledError | None:
    """Wait until ``future`` is done, however often the waiter is cancelled meanwhile; returns the last of them."""
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as again:
            cancelled = again
    if not future.cancelled():
        future.exception()  # looked at: asyncio need not tell of it
    return cancelled


async def to_the_end(work: Coroutine[Any, Any, R]) -> R:
    """What ``work`` gives. Cancelled meanwhile, however often, it goes on; then the caller's cancellation is raised.

    Its cause is the error, if the work failed too.
    """
    task = asyncio.ensure_future(work)
    cancelled = await settled(task)
    if cancelled is not None:
        raise cancelled from task.exception()
    return task.result()
