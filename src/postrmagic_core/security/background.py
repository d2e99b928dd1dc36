"""A thread that writes what requests leave behind, so that none of them waits for it."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable

from .._lifecycle import after_fork


class Background:
    """Does ``work`` soon after each :meth:`wake`, in a thread that the first one starts.

    ``work`` raises nothing and returns after how many seconds it is to be done again; ``None``: when it is woken. In a
    forked child the thread did not come along: the next :meth:`wake` starts one.
    """

    def __init__(self, work: Callable[[], float | None], name: str) -> None:
        self._work = work
        self._name = name
        self.is_open = False
        self._starting = threading.Lock()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None
        after_fork(self._forget)

    def open(self) -> None:
        """Let the thread be started."""
        self.is_open = True

    def wake(self) -> None:
        """Have the work done soon."""
        with self._starting:
            if self.is_open and self._thread is None:
                # A context of its own: the request's unit, work and log fields are not the thread's.
                run = contextvars.Context().run
                self._thread = threading.Thread(target=run, args=(self._run,), name=self._name, daemon=True)
                self._thread.start()
        self._woken.set()

    def close(self) -> None:
        """End the thread, once what it is doing is done."""
        with self._starting:
            self.is_open = False
            thread, self._thread = self._thread, None
        self._woken.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _run(self) -> None:
        while self._thread is threading.current_thread():
            self._woken.clear()
            pause = self._work()
            if self._thread is threading.current_thread():
                self._woken.wait(pause)

    def _forget(self) -> None:
        self._starting = threading.Lock()
        self._woken = threading.Event()
        self._thread = None
