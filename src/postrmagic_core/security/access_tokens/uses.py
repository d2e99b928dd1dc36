"""When tokens were used, on its way to the table: bounded, and written by a thread that no request waits for."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Mapping

from ..._lifecycle import after_fork

_MOST = 1000


class Uses:
    """Uses by token; ``write`` is given those that wait, and raises nothing.

    What is noted while 1,000 others wait is lost: the token's next use is noted in its place.
    """

    def __init__(self, write: Callable[[Mapping[str, int]], object]) -> None:
        self._write = write
        self._closed = True
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._waiting: dict[str, int] = {}
        self._thread: threading.Thread | None = None
        after_fork(self._forget)

    def open(self) -> None:
        """Take uses."""
        self._closed = False

    def note(self, token_id: str, used_us: int) -> None:
        """Have it written soon; the thread is started by the first."""
        with self._changed:
            if self._closed or len(self._waiting) >= _MOST:
                return
            self._waiting[token_id] = used_us
            if self._thread is None:
                # A context of its own: the request's unit, work and log fields are not the thread's.
                run = contextvars.Context().run
                self._thread = threading.Thread(target=run, args=(self._run,), name="postrmagic-tokens", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self) -> None:
        """Write what waits, and return when that is done."""
        with self._writing:
            with self._changed:
                taken, self._waiting = self._waiting, {}
            if taken:
                self._write(taken)

    def close(self) -> None:
        """End the thread, then write what waits."""
        with self._changed:
            self._closed = True
            thread, self._thread = self._thread, None
            self._changed.notify_all()
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        self.flush()

    def _run(self) -> None:
        while True:
            self.flush()
            with self._changed:
                if self._closed:
                    return
                if not self._waiting:
                    self._changed.wait()

    def _forget(self) -> None:
        """In a forked child: the thread did not come along, and what it had to write is the parent's."""
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._waiting = {}
        self._thread = None
