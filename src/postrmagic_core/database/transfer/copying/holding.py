"""The target held by one process: sessions that are made again when they break, and an end to all of them at once."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from ....errors import Conflict, PlanRefused, PostrMagicError
from ..server import Target

if TYPE_CHECKING:
    from ..session import Session

T = TypeVar("T")

# Seconds: a process that was just killed holds the target until the server has seen it go; and between two tries.
_TURN = 5
_PAUSE = 0.1


class Patience:
    """How long failures are borne: ``seconds`` after the last progress."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until: float | None = None

    def progressed(self) -> None:
        """Something went on: from the next failure on it counts anew."""
        self._until = None

    def bears(self) -> bool:
        """Whether one more failure is borne."""
        now = time.monotonic()
        if self._until is None:
            self._until = now + self._seconds
        return now < self._until


class Hold:
    """``with Hold(target, patience) as hold``: nobody else moves rows into this database meanwhile.

    Raises :class:`PlanRefused` where somebody does.
    """

    def __init__(self, target: Target, patience: float) -> None:
        self._target = target
        self._patience = patience
        self._control: Session | None = None
        self._open: set[Session] = set()
        self._lock = threading.Lock()
        self._taking = threading.Lock()
        self.stopped = threading.Event()

    def __enter__(self) -> Self:
        self._take()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()
        if self._control is not None:
            self._control.close()

    def stop(self) -> None:
        """End every session of :meth:`persist` where it stands; the server rolls back what it was in."""
        self.stopped.set()
        with self._lock:
            for session in self._open:
                session.cut()

    def persist(self, work: Callable[[Session], T], patience: Patience | None = None) -> T:
        """Do ``work``, which finds out itself where to go on, again on a new session wherever one breaks.

        ``patience`` is told of progress by ``work``, if it makes any before its end.
        """
        patience = patience or Patience(self._patience)
        while True:
            try:
                return self._once(work)
            except PostrMagicError as error:
                if not error.retryable or self.stopped.is_set() or not patience.bears():
                    raise
                if self.stopped.wait(_PAUSE):
                    raise
            self._confirm(patience)

    def _once(self, work: Callable[[Session], T]) -> T:
        session = self._target.connect()
        with self._lock:
            self._open.add(session)
        try:
            if self.stopped.is_set():
                raise Conflict("the run is being stopped")
            return work(session)
        finally:
            with self._lock:
                self._open.discard(session)
            session.close()

    def _confirm(self, patience: Patience) -> None:
        """The lock ended with its session, if that broke too: take it again."""
        while True:
            try:
                with self._taking:
                    self._retake()
                return
            except PostrMagicError as error:
                if not error.retryable or not patience.bears() or self.stopped.wait(_PAUSE):
                    raise

    def _retake(self) -> None:
        try:
            if self._control is not None and self._control.rows("SELECT 1"):
                return
        except PostrMagicError:
            pass
        self._take()

    def _take(self) -> None:
        if self._control is not None:
            self._control.close()
        self._control = control = self._target.connect()
        # One for the server, so that the database is part of its name.
        name = "pm_transfer_" + hashlib.sha256(self._target.database_id.rpartition("/")[2].encode()).hexdigest()[:24]
        ((held,),) = control.rows("SELECT GET_LOCK(%s, %s)", [name, _TURN])
        if held != 1:
            control.close()
            raise PlanRefused("another process is moving rows into this database")


class Throttle:
    """Keeps all workers together below ``rows_per_second``; without one it waits never."""

    def __init__(self, rows_per_second: float | None, stopped: threading.Event) -> None:
        self._rate = rows_per_second
        self._stopped = stopped
        self._lock = threading.Lock()
        self._free_at = time.monotonic()

    def wait(self, rows: int) -> None:
        """Wait as long as ``rows`` take at the rate."""
        if self._rate is None:
            return
        with self._lock:
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + rows / self._rate
            pause = self._free_at - now
        self._stopped.wait(pause)
