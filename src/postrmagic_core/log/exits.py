"""What waits is written before the process ends: at exit, at SIGTERM, at the end of a child of multiprocessing."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import weakref
from types import FrameType
from typing import Protocol

GRACE = 5.0
"""Seconds that an ending process waits for its log."""


class Ending(Protocol):
    """Who has something to finish before the process ends."""

    def end(self, grace: float) -> None:
        """Finish within ``grace`` seconds; nothing is to be started any more."""
        ...


_endings: weakref.WeakSet[Ending] = weakref.WeakSet()


def register(ending: Ending) -> None:
    """Have ``ending`` called when the process ends, for as long as it lives.

    SIGTERM is taken over only where it still has its default action and this is the main thread: who handles it
    himself ends in good order. After the flush the process dies of it as it would have.
    """
    _endings.add(ending)
    atexit.register(_end_all)  # again, so that it runs before what was registered until now
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminated)


def unregister(ending: Ending) -> None:
    """Forget ``ending``; with the last one SIGTERM has its default action again."""
    _endings.discard(ending)
    if _endings:
        return
    atexit.unregister(_end_all)
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is _terminated:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def in_this_process(ending: Ending) -> None:
    """In a child of multiprocessing, which ends without :mod:`atexit`, have ``ending`` called by its substitute."""
    multiprocessing = sys.modules.get("multiprocessing")
    if multiprocessing is not None and multiprocessing.parent_process() is not None:
        from multiprocessing.util import Finalize

        Finalize(ending, ending.end, args=(GRACE,), exitpriority=0)


def _end_all() -> None:
    for ending in list(_endings):
        ending.end(GRACE)


def _terminated(number: int, frame: FrameType | None) -> None:
    _end_all()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
