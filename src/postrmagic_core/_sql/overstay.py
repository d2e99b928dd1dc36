"""Tells, once, of each holder that keeps a connection past its budget, with the stack its thread has then."""

from __future__ import annotations

import logging
import threading
import time
import weakref

from .._lifecycle import after_fork
from .ledger import Ledger

logger = logging.getLogger("postrmagic_core.database")

# Looks a budget: a holder is told at the latest half a budget late.
_LOOKS = 2
_JOIN = 5.0


class _Watch:
    """One thread for every ledger of the process, started when the first has something to hold."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._forget()
        after_fork(self._forget)

    def add(self, ledger: Ledger, budget: float) -> None:
        """Look after ``ledger``, too."""
        with self._lock:
            self._budgets[ledger] = budget
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="postrmagic-pool-watch", daemon=True)
                self._thread.start()
        self._changed.set()

    def remove(self, ledger: Ledger) -> None:
        """No longer look after ``ledger``; the last one ends the thread."""
        with self._lock:
            self._budgets.pop(ledger, None)
            thread = None if self._budgets else self._thread
        self._changed.set()
        deadline = time.monotonic() + _JOIN
        # It ends at once, unless it is given another ledger meanwhile.
        while thread is not None and thread.is_alive() and not self._budgets and time.monotonic() < deadline:
            thread.join(0.01)

    def _run(self) -> None:
        while True:
            pause = self._look()
            if pause is None:
                return
            self._changed.wait(pause)
            self._changed.clear()

    def _look(self) -> float | None:
        """Tell what there is to tell; seconds until the next look, ``None`` where nothing is left to look after."""
        with self._lock:
            budgets = dict(self._budgets)
            if not budgets:
                self._thread = None
                return None
        for ledger, budget in budgets.items():
            tell(ledger, budget)
        return min(budgets.values()) / _LOOKS

    def _forget(self) -> None:
        self._budgets: weakref.WeakKeyDictionary[Ledger, float] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._thread = None


def tell(ledger: Ledger, budget: float) -> None:
    """Log who holds a connection of ``ledger`` for longer than ``budget`` seconds and was not told of before."""
    for holder, stack in ledger.overstaying(budget):
        logger.warning(
            "a %s connection is held for longer than %g s: %s\n%s",
            *(ledger.role, budget, holder, stack),
            extra={"event": "pool.overstay", "work": holder.work, "line": holder.line, "seconds": holder.seconds},
        )


_watch = _Watch()


def watch(ledger: Ledger, budget: float) -> None:
    """Look after ``ledger`` as long as it lives: :func:`tell` of holders past ``budget`` seconds."""
    _watch.add(ledger, budget)


def unwatch(ledger: Ledger) -> None:
    """Look after ``ledger`` no more, until it is watched again."""
    _watch.remove(ledger)
