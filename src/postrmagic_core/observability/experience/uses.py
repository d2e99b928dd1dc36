"""Uses of features on their way to the database: counted in memory, written by a thread that nobody waits for."""

from __future__ import annotations

import logging
import random
import threading
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Final

from ..._clock import Clock
from ..._errand import Errand
from ..._lifecycle import Lifecycle, after_fork
from ..._metrics import Metrics
from ..._protocols import Units
from ..._unit import in_own_unit
from . import rows
from .policy import day_of
from .rows import Use

_log = logging.getLogger("postrmagic_core.observability")

# One of its own: who draws from the shared one in a thread changes what others draw.
_DICE = random.SystemRandom()
# Seconds between two writes, and at most between tries while the database is away.
_GATHER, _LONGEST = 5.0, 60.0
# Rows in a transaction: it holds their locks, and on SQLite everybody's.
_BATCH = 500
MOST: Final = 20_000
"""Different rows that wait at once; a process that meets more of them in five seconds loses the rest, and says so."""
# Seconds that closing takes at most, and does of no database that answers.
_END = 4.0


@dataclass(slots=True)
class _Waiting:
    """What is not written yet; ``taken``: what somebody is writing."""

    counts: dict[Use, int] = field(default_factory=dict)
    taken: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, use: Use, count: int = 1) -> bool | None:
        """Count one; ``True`` if it is the first since all was taken, ``None`` if there is no room."""
        with self.lock:
            was_empty = not self.counts
            if use not in self.counts and len(self.counts) >= MOST:
                return None
            self.counts[use] = self.counts.get(use, 0) + count
            return was_empty

    def take(self) -> dict[Use, int]:
        with self.lock:
            taken = dict(islice(self.counts.items(), _BATCH))
            for use in taken:
                del self.counts[use]
            self.taken = sum(taken.values())
            return taken

    def done(self, back: dict[Use, int]) -> None:
        """What was taken is written, but for what comes ``back``."""
        with self.lock:
            self.taken = 0
            for use, count in back.items():
                self.counts[use] = self.counts.get(use, 0) + count

    def left(self) -> int:
        with self.lock:
            return sum(self.counts.values()) + self.taken


class Uses(Lifecycle):
    """Adds uses up and writes them every five seconds; closing writes the rest, in 4 seconds at most.

    What cannot be written is kept, and tried again. Counts ``feature_uses_lost_total``.
    """

    _waiting: _Waiting
    _one_writes: threading.Lock
    _not_before: float
    _failed: int

    def __init__(self, database: Units, clock: Clock, metrics: Metrics) -> None:
        super().__init__()
        self._database = database
        self._clock = clock
        self._lost = metrics.counter("feature_uses_lost_total")
        self._errand = Errand("postrmagic-experience", self._write_soon, _log)
        self._renew()
        after_fork(self._forget)

    def note(self, feature: str, user: str) -> None:
        """Count a use by the user of this hash. :class:`NotOpen` before it was ever opened; later it is lost."""
        if self._state == "new":
            self.ensure_open()
        first = self._waiting.note(Use(feature, day_of(self._clock.now_us()), user)) if self.is_open else None
        if first is None:
            self._lost.add()
        elif first:
            self._errand.ask()

    def flush(self) -> bool:
        """Write what waits, now; whether all of it is written. It ends at the first failure."""
        waiting = self._waiting
        with self._one_writes:
            while some := waiting.take():
                back = some
                try:
                    in_own_unit(self._database, partial(rows.add, some), _DICE.random)
                    back = {}
                except Exception as error:
                    self._failed_to_write(error)
                    return False
                finally:
                    waiting.done(back)
            if self._failed:
                self._failed = 0
                _log.info("uses of features are written to the database again")
            return True

    def _write_soon(self) -> float | None:
        now = self._clock.monotonic()
        if now < self._not_before:
            return self._not_before - now
        pause = _GATHER if self.flush() else min(_GATHER * 2**self._failed, _LONGEST) * (0.5 + _DICE.random() / 2)
        self._not_before = self._clock.monotonic() + pause
        return pause if self._waiting.left() else None

    def _failed_to_write(self, error: Exception) -> None:
        if not self._failed:
            kind = type(error).__qualname__
            told = {"error": kind}
            _log.warning("uses of features cannot be written to the database, and are kept: %s", kind, extra=told)
        self._failed = min(self._failed + 1, 10)

    def _open(self) -> None:
        self._errand.open()

    def _close(self) -> None:
        self._errand.is_open = False
        end = threading.Thread(target=self._end, name="postrmagic-experience-end", daemon=True)
        try:
            end.start()
        except RuntimeError:  # the interpreter ends, or has no threads left
            self._end()
        else:
            end.join(_END)
        if lost := self._waiting.left():
            self._lost.add(lost)
            _log.warning("%s uses of features could not be written before the end", lost, extra={"lost": lost})
        self._renew()

    def _end(self) -> None:
        self._errand.close(finish=False)
        # What has just failed would fail again, for as long again.
        if not self._failed:
            self.flush()

    def _forget(self) -> None:
        """In a forked child: what waits is the parent's."""
        self._renew()

    def _renew(self) -> None:
        self._waiting = _Waiting()
        self._one_writes = threading.Lock()
        self._not_before = 0.0
        self._failed = 0
