"""A thread that calls something from time to time, off everybody's way."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable

from postrmagic_core._lifecycle import after_fork
from postrmagic_core.errors import PostrMagicError

_log = logging.getLogger("postrmagic_core.stores")


class Sweeper:
    """Calls the bound ``method`` every ``seconds``; its thread starts on first use, and again after a fork.

    It keeps nobody alive: the thread ends with the method's object.
    """

    def __init__(self, method: Callable[[], object], seconds: float) -> None:
        self._method = weakref.WeakMethod(method)
        self._seconds = seconds
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        after_fork(self._forget)

    def start(self) -> None:
        """Start the thread unless it runs."""
        if self._thread is not None:
            return
        with self._lock:
            if self._thread is None:
                self._stop = threading.Event()
                arguments = (self._method, self._seconds, self._stop)
                self._thread = threading.Thread(target=_sweep, args=arguments, daemon=True, name="postrmagic-sweeper")
                self._thread.start()

    def stop(self) -> None:
        """End the thread, after the sweep under way."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._stop.set()
            thread.join()

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = None


def _sweep(method: weakref.WeakMethod[Callable[[], object]], seconds: float, stop: threading.Event) -> None:
    while not stop.wait(seconds):
        call = method()
        if call is None:
            return
        try:
            call()
        except PostrMagicError as error:
            _log.info("expired rows could not be swept now: %s", error)
        del call  # or the loop would keep the object for another round
