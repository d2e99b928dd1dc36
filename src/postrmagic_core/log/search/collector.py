"""Brings what the processes of a machine log into the index: one of them at a time."""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final

from ..._clock import Clock, SystemClock
from ..._errand import Errand
from ..._lifecycle import Lifecycle, after_fork
from ..._metrics import Metrics
from ..spool import Batch, SpoolReader
from . import segment
from .writer import IndexWriter

logger = logging.getLogger("postrmagic_core.log")

BATCH: Final = 4 * 1024 * 1024
IDLE: Final = 0.5
"""Seconds between two looks at a spool in which nothing came."""
_ELSEWHERE = 5.0  # seconds until the lock is tried again
_FAILED = (1.0, 60.0)  # seconds until a disk that refused is tried again, and at most
_TIDY = 10.0


class Collector(Lifecycle):
    """Collects the spool in ``spool`` into the index in ``index``, in a thread, while it is open.

    Of all that are open on a machine, one does it, by flock(2) on ``collector.lock``; another takes over within five
    seconds of its end, however it ended. Each line is indexed once: its place in the spool is kept with it. ``days``
    and ``max_bytes`` say how much is kept. What cannot be written is tried again, up to a minute later; the spool
    holds it meanwhile.

    ``metrics``: ``log_indexed_lines_total``, ``log_index_unreadable_total`` (lines that are no JSON object, and
    segments put aside), ``log_index_lost_bytes_total`` (what the spool removed before it was collected),
    ``log_index_failures_total`` and the gauge ``log_index_bytes``, in the process that collects.
    Whoever forks opens one in the child.
    """

    def __init__(
        self,
        spool: Path,
        index: Path,
        *,
        days: float = 14.0,
        max_bytes: int = 1 << 30,
        metrics: Metrics | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__()
        self._spool = spool
        self._index = index
        self._clock = clock or SystemClock()
        self._writer = IndexWriter(index, days=days, max_bytes=max_bytes)
        metrics = metrics or Metrics()
        self._lines = metrics.counter("log_indexed_lines_total")
        self._lost = metrics.counter("log_index_lost_bytes_total")
        self._unreadable = metrics.counter("log_index_unreadable_total")
        self._failures = metrics.counter("log_index_failures_total")
        metrics.report(self._gauges)
        self._bytes = 0
        self._reader: SpoolReader | None = None
        self._waiting: Batch | None = None
        self._lock = -1
        self._pause = 0.0
        self._tidied = float("-inf")
        self._errand = Errand("postrmagic-log-collector", self._work, logger)
        after_fork(self._leave)

    def _open(self) -> None:
        self._errand.open()
        self._errand.ask()

    def _close(self) -> None:
        self._errand.close(finish=False)
        self._release()

    def catch_up(self, seconds: float = 30.0) -> bool:
        """Collect in this thread what is in the spool now; whether all of it is in the index.

        Not while it is open. ``False``: another process collects, the disk refuses, or it takes longer.
        """
        deadline = self._clock.monotonic() + seconds
        try:
            while self._clock.monotonic() < deadline:
                pause = self._turn()
                if pause:
                    return pause == IDLE
            return False
        finally:
            self._release()

    def _work(self) -> float:
        try:
            return self._turn()
        except Exception:  # an index of a later version, or what nobody thought of: not at once again
            logger.exception("the log cannot be indexed")
            self._release()  # another process may be of a version that can
            return _FAILED[1]

    def _turn(self) -> float:
        """Collect one batch; seconds until the next."""
        try:
            if not self._held():
                return _ELSEWHERE
            pause = 0.0 if self._collect() else IDLE
            self._tidy(idle=pause > 0)
        except (OSError, sqlite3.Error) as error:
            return self._failed(error)
        if self._pause:
            self._pause = 0.0
            logger.info("the log is indexed again")
        return pause

    def _collect(self) -> bool:
        """Whether anything was there."""
        if self._reader is not None and not self._writer.is_there():
            self._stop()  # somebody removed what is written: it is begun anew
        if self._reader is None:
            self._writer.open()
            self._told_aside()
            self._reader = SpoolReader(self._spool, self._writer.position)
        batch = self._waiting
        if batch is None:
            batch = self._reader.read(BATCH)
            if batch.lost:
                self._lost.add(batch.lost)
                logger.warning("the spool removed lines before they were indexed", extra={"bytes": batch.lost})
        if not batch.lines and batch.position == self._writer.position:
            return False
        self._waiting = batch
        lines, unreadable = self._writer.append(batch, self._clock.now_us())
        self._waiting = None
        self._lines.add(lines)
        self._unreadable.add(unreadable)
        return bool(batch.lines)

    def _tidy(self, *, idle: bool) -> None:
        now = self._clock.monotonic()
        if now - self._tidied >= (_TIDY if idle else 1.0):
            self._tidied = now
            self._writer.tidy(self._clock.now_us())
            self._bytes = self._writer.bytes()
            self._told_aside()

    def _failed(self, error: Exception) -> float:
        self._failures.add()
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            with suppress(OSError):
                self._writer.give_up()
            self._told_aside()
        first = not self._pause
        self._pause = min(_FAILED[1], self._pause * 2 or _FAILED[0])
        if first:
            logger.error("the log cannot be indexed and is tried again", extra={"error": str(error)})
        # What was read and not written is read again, from the position that was.
        self._stop()
        return self._pause

    def _told_aside(self) -> None:
        while self._writer.put_aside:
            path = self._writer.put_aside.pop()
            self._unreadable.add()
            logger.error("a segment of the log's index cannot be read and was put aside", extra={"path": str(path)})

    def _held(self) -> bool:
        if self._lock >= 0:
            if os.fstat(self._lock).st_nlink:
                return True
            self._release()  # somebody removed the directory: others may hold another lock by now
        segment.prepare(self._index)
        lock = os.open(self._index / "collector.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            if isinstance(error, BlockingIOError):
                return False
            raise
        self._lock = lock
        return True

    def _stop(self) -> None:
        """Close the files, so that everything is begun anew from what was written."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()
        self._waiting = None
        with suppress(sqlite3.Error):
            self._writer.close()

    def _release(self) -> None:
        self._stop()
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)

    def _leave(self) -> None:
        # In a forked child: the lock is the parent's, and its SQLite connection must not even be closed here.
        self._writer.abandon()
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)
        self._reader = None
        self._waiting = None

    def _gauges(self) -> list[tuple[str, dict[str, str], float]]:
        return [("log_index_bytes", {}, float(self._bytes))] if self._lock >= 0 else []
