"""An event loop in a thread of its own, for what is async where the caller is not."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any

from ._lifecycle import after_fork

_JOIN = 5.0

Call = Callable[[], Coroutine[Any, Any, Any]]


class Running:
    """A coroutine on the loop; ``future`` ends with it, cancelled with :class:`concurrent.futures.CancelledError`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, call: Call) -> None:
        self.future: Future[Any] = Future()
        self._loop = loop
        self._call = call
        self._context = contextvars.copy_context()
        self._task: asyncio.Task[Any] | None = None
        loop.call_soon_threadsafe(self._begin)

    def cancel(self) -> None:
        """Have it cancelled, from whichever thread."""
        self._loop.call_soon_threadsafe(self._cancel)  # after _begin, which came before

    def _begin(self) -> None:
        self._task = self._loop.create_task(self._call(), context=self._context)
        self._task.add_done_callback(self._end)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _end(self, task: asyncio.Task[Any]) -> None:
        error: BaseException | None = CancelledError() if task.cancelled() else task.exception()
        if error is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(task.result())


class LoopThread:
    """One loop for every thread of its owner; the thread, called ``name``, is started by the first coroutine."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        after_fork(self._forget)

    @property
    def is_here(self) -> bool:
        """Whether the caller runs on this loop: it must not wait for it."""
        return self._thread is threading.current_thread()

    def start(self, call: Call) -> Running:
        """Run the coroutine that ``call()`` makes on the loop, with the caller's context variables."""
        return Running(self._running(), call)

    def close(self) -> None:
        """Cancel what still runs, and end the thread."""
        with self._lock:
            loop, self._loop = self._loop, None
            thread, self._thread = self._thread, None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(_JOIN)

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=_serve, args=[self._loop], name=self._name, daemon=True)
                self._thread.start()
            return self._loop

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._loop = None
        self._thread = None


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
