"""Of most requests and jobs nobody reads a line: these wait for the end, which says whether it matters."""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

from .._ids import uuid7_text
from .._lifecycle import after_fork
from .._metrics import Metrics
from .._work import Work, current_work, kept
from .interface import Sampling
from .records import Told, context

ACCESS: Final = "postrmagic_core.middleware.access"
"""The logger whose record tells how a request ended: ``status``, ``duration_ms``, and ``code`` if it was refused."""

LINES = 500
BYTES = 256 * 1024
ALL_BYTES = 32 * 1024 * 1024
"""What may wait of one request or job, and in all; of one the oldest go first."""

_IDS = ("trace_id", "request_id", "job_id")
_ERROR, _WARNING = logging.ERROR, logging.WARNING


class _Held:
    """What waits of one request or job."""

    __slots__ = ("bytes", "freed", "ids", "lines", "lock", "matters", "since", "state")

    def __init__(self, since: float, lock: threading.RLock, freed: deque[tuple[int, int]]) -> None:
        self.since = since
        self.freed = freed
        self.lock = lock
        self.state = "waits"  # then "written" or "left out"
        self.lines: deque[bytes] = deque()
        self.bytes = 0
        self.matters = False
        self.ids: dict[str, str] = {}

    def __del__(self) -> None:
        # Of work that never ended. Without a lock: the collector may run wherever one is held.
        if self.bytes:
            self.freed.append((self.bytes, len(self.lines)))


class Sampler:
    """Holds lines back until their request or job ends; ``put(line, urgent)`` writes. ``now`` is a monotonic clock.

    Everything of one that matters is written, in order: as soon as it logs an error, from then on at once; at its end
    if it was slow, failed or was refused. Of the others a share is, chosen from the id of trace, request or job: every
    process chooses alike. Once it has ended, what it still tells is left out if the rest was, until it logs an error.
    From WARNING on nothing waits, nor does what belongs to no request or job.
    """

    def __init__(
        self, sampling: Sampling, metrics: Metrics, put: Callable[[bytes, bool], object], now: Callable[[], float]
    ) -> None:
        self._sampling = sampling
        self._put = put
        self._now = now
        self._left_out = metrics.counter("log_sampled_out_total")
        self._forget()
        after_fork(self._forget)

    def begin(self) -> None:
        """The request or job begins to be followed, if it was not: from here on it takes time."""
        work = current_work()
        if work is not None:
            self._of(work).ids.update(_ids_of(context()))

    def take(self, line: bytes, told: Told) -> None:
        """Write ``line`` now, later or never."""
        level, work = told.level, current_work()
        if work is None:
            self._put(line, level >= _ERROR)
            return
        held = self._of(work)
        if held.state != "written":
            with self._lock:
                held.ids.update(_ids_of(told.given))
                if told.logger == ACCESS:
                    self._read_access(held, told)
                if level >= _ERROR:  # after its end, too: what follows is written
                    self._release(held)
                if level < _WARNING and held.state != "written":
                    self._hold(held, line)
                    return
        self._put(line, level >= _ERROR)

    def _of(self, work: Work) -> _Held:
        mine = kept(work)
        held: _Held | None = mine.get(self)
        if held is not None and held.lock is self._lock:
            return held
        if held is not None:  # what was held before a fork is the parent's
            del mine[self]
        new = _Held(self._now(), self._lock, self._freed)
        if _over(work):  # nothing would end the waiting
            new.state = "written" if chosen(_ids_of(context()), self._sampling.share) else "left out"
        first: _Held = mine.setdefault(self, new)  # of several threads
        if first is new and new.state == "waits":
            work.at_end(self._ended)
        return first

    def _read_access(self, held: _Held, told: Told) -> None:
        status, milliseconds = told.given.get("status"), told.given.get("duration_ms")
        failed = isinstance(status, int) and status >= 500
        slow = isinstance(milliseconds, float) and milliseconds >= self._sampling.slow * 1000
        held.matters = held.matters or failed or slow or "code" in told.given

    def _hold(self, held: _Held, line: bytes) -> None:
        if held.state == "left out":  # a thread that outlived its request
            self._left_out.add()
            return
        while self._freed:
            size, count = self._freed.popleft()
            self._bytes -= size
            self._left_out.add(count)
        held.lines.append(line)
        held.bytes += len(line)
        self._bytes += len(line)
        while len(held.lines) > LINES or held.bytes > BYTES:
            gone = held.lines.popleft()
            held.bytes -= len(gone)
            self._bytes -= len(gone)
            self._left_out.add()
        if self._bytes > ALL_BYTES:
            self._decide(held)

    def _ended(self, work: Work) -> None:
        # A job's failure is logged when it is over: what it raised is on its way out now.
        failed = sys.exc_info()[1] is not None
        held = self._of(work)
        with self._lock:
            if held.state == "waits":
                held.matters = held.matters or failed or self._now() - held.since >= self._sampling.slow
                self._decide(held)

    def _decide(self, held: _Held) -> None:
        if held.matters or chosen(held.ids, self._sampling.share):
            self._release(held)
            return
        held.state = "left out"
        self._left_out.add(len(held.lines))
        self._bytes -= held.bytes
        held.bytes = 0
        held.lines.clear()

    def _release(self, held: _Held) -> None:
        held.state = "written"
        self._bytes -= held.bytes
        held.bytes = 0
        while held.lines:
            self._put(held.lines.popleft(), False)

    def _forget(self) -> None:
        self._lock = threading.RLock()  # a signal's handler may log, too
        self._bytes = 0
        self._freed: deque[tuple[int, int]] = deque()


def chosen(ids: dict[str, str], share: float) -> bool:
    """Whether the request or job of these ids is in the share; the first of trace, request and job decides."""
    name = next((ids[name] for name in _IDS if name in ids), None) or uuid7_text()
    number = int.from_bytes(blake2b(name.encode("utf-8", "replace"), digest_size=8).digest())
    return number < share * 2**64


def _over(work: Work) -> bool:
    """Whether it has ended: what it was given to do at its end is done, and would not be done again."""
    return vars(work).get("_ends", ()) is None


def _ids_of(given: dict[str, object]) -> dict[str, str]:
    return {name: value for name in _IDS if isinstance(value := given.get(name), str)}
