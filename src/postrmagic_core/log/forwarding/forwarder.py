"""One process of the machine follows the spool and ships what it finds there, until the receiver has it."""

from __future__ import annotations

import fcntl
import logging
import math
import os
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from random import SystemRandom
from typing import Final

from ..._clock import Clock, SystemClock
from ..._errand import Errand
from ..._lifecycle import Lifecycle, after_fork
from ..._metrics import Metrics, Told
from ...errors import ConfigurationError
from ..emergency import reason
from ..spool import SpoolReader
from .interface import Later, Refused, Shipper
from .policy import BATCH_BYTES, PATIENT, batches, halves, pause

logger = logging.getLogger("postrmagic_core.log")

_IDLE: Final = 1.0
_NOT_MINE: Final = 3.0
_QUIET: Final = 60.0
_LAST: Final = 5.0
_OWN = b'"logger":"postrmagic_core.log"'
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_MODE, _DIRECTORY = 0o640, 0o750


class Forwarder(Lifecycle):
    """Ships the lines of the spool in ``directory`` by ``shipper``, which it closes: at least once, in order.

    ``name`` (letters, digits, dashes) is the label ``to`` of its metrics and of its files: who holds the lock of
    ``<name>.lock`` ships, the others look every three seconds whether it still does; ``<name>.position`` tells what the
    receiver acknowledged. One batch is under way at a time, of at most 512 KiB and 1000 lines. A failure is tried
    again after half a second, then after longer, up to a minute, or when the receiver asks to. A batch that it calls
    malformed is halved until the line is found, which is dropped and counted.

    A thread does it, from :meth:`open` on, in the process that opened it and not in its forked children. Closing waits
    for the batch under way, then for what is left, five seconds at most.
    """

    def __init__(
        self,
        directory: Path,
        shipper: Shipper,
        *,
        name: str,
        metrics: Metrics,
        clock: Clock | None = None,
        random: Callable[[], float] | None = None,
    ) -> None:
        super().__init__()
        if not (name.isascii() and name.replace("-", "").isalnum()):
            raise ConfigurationError(f"the name of a receiver is of letters, digits and dashes, not {name!r}")
        self._directory = directory.absolute()
        self._shipper = shipper
        self._name = name
        self._clock = clock or SystemClock()
        self._random = random or SystemRandom().random
        self._lines = metrics.counter("log_forward_lines_total", to=name)
        self._refusals = metrics.counter("log_forward_refused_total", to=name)
        self._failed_tries = metrics.counter("log_forward_failures_total", to=name)
        self._lost = metrics.counter("log_forward_lost_bytes_total", to=name)
        metrics.report(self._report)
        self._reader = SpoolReader(self._directory)
        self._pending: deque[list[bytes]] = deque()
        self._kept: str | None = None
        self._lock = -1
        self._failures = self._refused_in_a_row = 0
        self._told = False
        self._told_at = self._told_refusal_at = -math.inf
        self._errand = Errand("postrmagic-log-forward", self.step, logger)
        after_fork(self._forked)

    @property
    def ships(self) -> bool:
        """Whether this process is the one that ships."""
        return self._lock >= 0

    def step(self) -> float:
        """Ship one batch, or try to; returns after how many seconds it is time for the next. The thread's work."""
        if not self._held():
            return _NOT_MINE
        try:
            if not self._pending and not self._read():
                return _IDLE
        except OSError as error:  # of the disk that the spool is on
            return self._failed(error)
        lines = self._pending[0]
        try:
            dropped = self._shipper.ship(lines)
        except Refused as error:
            return self._refused(lines, error)
        except Exception as error:  # OSError is promised; what else one raises must not end the thread
            return self._failed(error)
        self._pending.popleft()
        self._lines.add(len(lines) - dropped)
        self._refusals.add(dropped)
        self._refused_in_a_row = 0
        self._healed()
        if not self._pending:
            self._keep()
        return 0.0

    def _read(self) -> bool:
        batch = self._reader.read(BATCH_BYTES)
        self._lost.add(batch.lost)
        groups, unreadable = batches(batch.lines)
        self._refusals.add(unreadable)
        self._pending.extend(groups)
        if not groups:
            self._keep()
        return bool(groups)

    def _refused(self, lines: list[bytes], error: Refused) -> float:
        self._healed()
        self._pending.popleft()
        if len(lines) > 1:
            self._pending.extendleft(reversed(halves(lines)))
            return 0.0
        self._refusals.add()
        self._refused_in_a_row += 1
        now = self._clock.monotonic()
        if now - self._told_refusal_at >= _QUIET and _OWN not in lines[0]:
            self._told_refusal_at = now
            logger.warning("the receiver %s refuses a line of the log: %s", self._name, _told(error))
        if not self._pending:
            self._keep()
        beyond = self._refused_in_a_row - PATIENT
        return pause(beyond, self._random()) if beyond > 0 else 0.0

    def _failed(self, error: Exception) -> float:
        self._failures += 1
        self._failed_tries.add()
        now = self._clock.monotonic()
        # Its own record is forwarded, too: told each time, a receiver that fails by turns would be fed for ever.
        if not self._told and now - self._told_at >= _QUIET:
            self._told, self._told_at = True, now
            logger.warning("the log is not forwarded to %s: %s", self._name, _told(error))
        wait = pause(self._failures, self._random())
        return max(wait, error.after) if isinstance(error, Later) else wait

    def _healed(self) -> None:
        failures, self._failures = self._failures, 0
        if failures and self._told:
            self._told = False
            logger.warning("the log is forwarded to %s again, after %d failures", self._name, failures)

    # Who ships, and from where on.

    def _held(self) -> bool:
        if self._lock >= 0:
            if os.fstat(self._lock).st_nlink:
                return True
            self._release()  # somebody removed the directory: others may hold another lock by now
        try:
            self._directory.mkdir(_DIRECTORY, parents=True, exist_ok=True)
            lock = os.open(self._directory / f"{self._name}.lock", _FLAGS, _MODE)
        except OSError as error:
            self._failed(error)
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return False
        self._lock = lock
        try:
            self._kept = self._position_file.read_text("ascii").strip()
        except (OSError, ValueError):
            self._kept = None
        self._reader.close()
        self._reader = SpoolReader(self._directory, self._kept)
        self._pending.clear()
        return True

    @property
    def _position_file(self) -> Path:
        return self._directory / f"{self._name}.position"

    def _keep(self) -> None:
        """Tell whoever ships next what the receiver has; on a full disk it gets some of it again."""
        position = self._reader.position
        if position == self._kept:
            return
        with suppress(OSError):
            unfinished = self._position_file.with_suffix(".unfinished")
            with open(unfinished, "w", encoding="ascii", opener=_ours) as file:
                file.write(position)
            unfinished.replace(self._position_file)
            self._kept = position

    def _release(self) -> None:
        lock, self._lock = self._lock, -1
        if lock >= 0:
            with suppress(OSError):
                fcntl.flock(lock, fcntl.LOCK_UN)
            os.close(lock)

    def _forked(self) -> None:
        # The lock and the connection are the parent's, which goes on; a mere close leaves the lock alone.
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)
        self._pending.clear()

    def _report(self) -> Iterable[Told]:
        if self._lock < 0:  # the process that ships tells
            return
        waiting = sum(len(line) + 1 for lines in list(self._pending) for line in lines)
        yield "log_forward_behind_bytes", {"to": self._name}, float(self._reader.behind() + waiting)

    def _open(self) -> None:
        self._errand.open()
        self._errand.ask()

    def _close(self) -> None:
        self._errand.close(finish=False)
        until = self._clock.monotonic() + _LAST
        with suppress(OSError):
            while not self._failures and self._clock.monotonic() < until and self.step() == 0.0:
                pass
        self._shipper.close()
        self._reader.close()
        self._release()


def _ours(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE)


def _told(error: Exception) -> str:
    return reason(error).decode("utf-8", "replace")
