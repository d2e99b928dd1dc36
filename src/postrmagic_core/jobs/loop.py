"""Where async tasks run: one event loop in a thread of its own, for all threads of a worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from dramatiq.middleware.time_limit import TimeLimitExceeded

from .._loop import Call, LoopThread


class TaskLoop:
    """Started by the first async task; a worker's thread waits for each."""

    def __init__(self) -> None:
        self._loop = LoopThread("postrmagic-jobs-loop")

    def run(self, call: Call, seconds: float, on_cancel: Callable[[Callable[[], None] | None], None]) -> Any:
        """What the coroutine returns, run with the caller's context variables.

        After ``seconds`` it is cancelled and :class:`TimeLimitExceeded` is raised. ``on_cancel`` is given what cancels
        it; then :class:`concurrent.futures.CancelledError` is raised.
        """
        running = self._loop.start(lambda: _limited(call, seconds))
        on_cancel(running.cancel)
        try:
            return running.future.result()
        finally:
            on_cancel(None)

    def close(self) -> None:
        """Cancel what still runs, and end the thread."""
        self._loop.close()


async def _limited(call: Call, seconds: float) -> Any:
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await call()
    except TimeoutError:
        if not limit.expired():
            raise
        raise TimeLimitExceeded from None
