"""A thread for what nobody waits for: work that is done soon after somebody asks."""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable

from ._lifecycle import after_fork


class Errand:
    """``work()`` done soon after each :meth:`ask`, in a thread that the first one starts; asked together, done once.

    ``work`` returns after how many seconds it is to be done unasked; ``None``: when it is asked. What it raises is
    logged by ``logger`` and ends nothing. In a forked child the thread did not come along: the next :meth:`ask` starts
    one. Until it is opened nothing is done.
    """

    _thread: threading.Thread | None

    def __init__(self, name: str, work: Callable[[], float | None], logger: logging.Logger) -> None:
        self.is_open = False
        self._name = name
        self._work = work
        self._logger = logger
        self._forget()
        after_fork(self._forget)

    def open(self) -> None:
        """Let it be asked."""
        self.is_open = True

    def ask(self) -> None:
        """Have it done soon."""
        with self._changed:
            if not self.is_open:
                return
            if self._thread is None:
                # A context of its own: the caller's unit, work and log fields are not the thread's.
                run = contextvars.Context().run
                thread = threading.Thread(target=run, args=(self._run,), name=self._name, daemon=True)
                thread.start()
                self._thread = thread
            self._asked = True
            self._changed.notify()

    def close(self, *, finish: bool = True, patience: float | None = None) -> None:
        """End the thread once what it is doing is done; to ``finish``, what was asked for meanwhile too.

        This waits for it, ``patience`` seconds at most if it is given.
        """
        with self._changed:
            self.is_open = False
            self._asked = self._asked and finish
            thread, self._thread = self._thread, None
            self._changed.notify()
        if thread is not None and thread is not threading.current_thread():
            thread.join(patience)

    def _run(self) -> None:
        pause: float | None = None
        while self._awaited(pause):
            try:
                pause = self._work()
            except Exception:
                self._logger.exception("%s failed and goes on", self._name)

    def _awaited(self, pause: float | None) -> bool:
        """Wait until the work is to be done; ``False``: until the thread is to end."""

        def ended() -> bool:
            return self._thread is not threading.current_thread()

        with self._changed:
            self._changed.wait_for(lambda: self._asked or ended(), pause)
            asked, self._asked = self._asked, False
            return asked or not ended()

    def _forget(self) -> None:
        self._changed = threading.Condition()
        self._thread = None
        self._asked = False
