"""Time limits: an exception raised in the thread that overstays, and never in code that comes after the job."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from dramatiq.middleware.time_limit import TimeLimitExceeded
from dramatiq.threading import raise_thread_exception

logger = logging.getLogger("postrmagic_core.jobs")


class Deadlines:
    """Which thread must have ended its job by when (monotonic seconds).

    No lock: an exception raised asynchronously could strike while it is held. Popping from the dictionary decides.
    """

    def __init__(self) -> None:
        self._due: dict[int, float] = {}

    @contextmanager
    def limit(self, seconds: float) -> Iterator[None]:
        """Raise :class:`TimeLimitExceeded` in the block, in this thread, once it has taken ``seconds``."""
        thread = threading.get_ident()
        self._due[thread] = time.monotonic() + seconds
        try:
            yield
        finally:
            if self._due.pop(thread, None) is None:
                _await_strike()

    def strike(self) -> None:
        """Raise the exception wherever it is due."""
        now = time.monotonic()
        for thread, due in list(self._due.items()):
            if now >= due and self._due.pop(thread, None) is not None:
                logger.warning("a job exceeded its time limit")
                raise_thread_exception(thread, TimeLimitExceeded)  # type: ignore[no-untyped-call]  # dramatiq's is untyped


def _await_strike() -> None:
    """Let an exception on its way arrive here; the job's own code may have swallowed it already."""
    for _ in range(20):
        time.sleep(0.01)
