"""Where async tasks run: one event loop in a thread of its own, for all threads of a worker."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from functools import partial
from typing import Any

from dramatiq.middleware.time_limit import TimeLimitExceeded

_JOIN = 5.0


class LoopThread:
    """Started by the first async task; a worker's thread waits for each."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(
        self,
        call: Callable[[], Coroutine[Any, Any, Any]],
        seconds: float,
        on_cancel: Callable[[Callable[[], None] | None], None],
    ) -> Any:
        """What the coroutine returns, run with the caller's context variables.

        After ``seconds`` it is cancelled and :class:`TimeLimitExceeded` is raised. ``on_cancel`` is given what cancels
        it; then :class:`concurrent.futures.CancelledError` is raised.
        """
        loop, context = self._running(), contextvars.copy_context()
        ended: Future[Any] = Future()

        def begin() -> None:
            task = loop.create_task(_limited(call, seconds), context=context)
            task.add_done_callback(lambda done: _pass_on(done, ended))
            on_cancel(partial(_cancel, loop, task))

        loop.call_soon_threadsafe(begin)
        try:
            return ended.result()
        finally:
            on_cancel(None)

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
                self._thread = threading.Thread(
                    target=_serve, args=[self._loop], name="postrmagic-jobs-loop", daemon=True
                )
                self._thread.start()
            return self._loop


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


def _cancel(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> None:
    loop.call_soon_threadsafe(task.cancel)


async def _limited(call: Callable[[], Coroutine[Any, Any, Any]], seconds: float) -> Any:
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await call()
    except TimeoutError:
        if not limit.expired():
            raise
        raise TimeLimitExceeded from None


def _pass_on(task: asyncio.Task[Any], ended: Future[Any]) -> None:
    error: BaseException | None = CancelledError() if task.cancelled() else task.exception()
    if error is not None:
        ended.set_exception(error)
    else:
        ended.set_result(task.result())
