"""Whose turn it is to write: first come, first served, among the threads of this process.

SQLite admits one writer and lets the others sleep and poll, so that under load some starve. Here they queue.
"""

from __future__ import annotations

import threading
from collections import deque
from weakref import WeakValueDictionary

from .._lifecycle import after_fork
from ..errors import Conflict


class Gate:
    """A lock that is handed over in the order in which it was asked for; any thread may release it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queue: deque[threading.Event] = deque()
        self._held = False
        after_fork(self._forget)

    def acquire(self, timeout: float) -> None:
        """Wait for the turn, at most ``timeout`` seconds; then :class:`Conflict`."""
        with self._lock:
            if not self._held:
                self._held = True
                return
            turn = threading.Event()
            self._queue.append(turn)
        try:
            if turn.wait(timeout):
                return
        except BaseException:
            self._abandon(turn)
            raise
        if self._left_queue(turn):
            raise Conflict(
                f"another thread has kept the database's only writer for {timeout:g} s; keep write units short"
            )

    def release(self) -> None:
        """Give the turn to whoever waits longest."""
        with self._lock:
            if self._queue:
                self._queue.popleft().set()
            else:
                self._held = False

    def _abandon(self, turn: threading.Event) -> None:
        if not self._left_queue(turn):
            self.release()

    def _left_queue(self, turn: threading.Event) -> bool:
        """Whether ``turn`` was still waiting; if not, it was handed over meanwhile."""
        with self._lock:
            if turn.is_set():
                return False
            self._queue.remove(turn)
            return True

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._queue = deque()
        self._held = False


_gates: WeakValueDictionary[str, Gate] = WeakValueDictionary()
_gates_lock = threading.Lock()


def gate_of(database_id: str) -> Gate:
    """The gate of a database, shared by every backend of this process that writes to it."""
    with _gates_lock:
        gate = _gates.get(database_id)
        if gate is None:
            gate = _gates[database_id] = Gate()
        return gate
