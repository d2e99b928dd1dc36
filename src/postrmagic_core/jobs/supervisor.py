"""Worker processes under a supervisor: one that dies stops no other and is started again after a back-off."""

from __future__ import annotations

import logging
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

logger = logging.getLogger("postrmagic_core.jobs")

_STEADY = 10.0
_FIRST = 0.2
_LAST = 10.0
_LOOK = 0.1


class Supervisor:
    """Keeps ``count`` processes of ``command`` running until stopped: SIGTERM, and SIGKILL after ``grace`` seconds."""

    def __init__(self, command: Sequence[str], count: int, *, grace: float = 40.0) -> None:
        if count < 1:
            raise ValueError(f"a supervisor needs at least 1 process to watch, got {count}")
        self._slots = [Slot(command) for _ in range(count)]
        self._grace = grace
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Have :meth:`run` end; may be called from a signal handler."""
        self._stopped.set()

    def run(self) -> None:
        """Start the processes and watch them until :meth:`stop`."""
        try:
            while not self._stopped.wait(_LOOK):
                for slot in self._slots:
                    slot.watch()
        finally:
            self._end()

    def _end(self) -> None:
        running = [slot.process for slot in self._slots if slot.process is not None]
        for process in running:
            process.terminate()
        until = time.monotonic() + self._grace
        for process in running:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                logger.error("worker process %d did not end within its grace and is killed", process.pid)
                process.kill()
                process.wait()


class Slot:
    """One of the processes, through its restarts."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)
        self._deaths = 0
        self._start_at = 0.0
        self._started = 0.0
        self.process: subprocess.Popen[bytes] | None = None

    def watch(self) -> None:
        """Start the process if it is time; note its death if it has died."""
        now = time.monotonic()
        if self.process is None:
            if now >= self._start_at:
                self.process = subprocess.Popen(self._command)  # noqa: S603 - our own interpreter and module
                self._started = now
            return
        code = self.process.poll()
        if code is not None:
            self._died(self.process.pid, code, now)

    def _died(self, pid: int, code: int, now: float) -> None:
        self._deaths = 1 if now - self._started >= _STEADY else self._deaths + 1
        pause = restart_delay(self._deaths)
        logger.error("worker process %d ended with code %d; it is started again in %.1f s", pid, code, pause)
        self.process = None
        self._start_at = now + pause


def restart_delay(deaths: int) -> float:
    """Seconds before a process is started again that has died so many times in a row: 0.2, doubling to 10."""
    return min(_LAST, _FIRST * 2.0 ** min(deaths - 1, 16))


@contextmanager
def stop_signals(stopped: threading.Event) -> Iterator[None]:
    """Within the block SIGTERM and SIGINT set ``stopped`` instead of ending the process; main thread only."""

    def set_stopped(number: int, frame: FrameType | None) -> None:
        stopped.set()

    before = {number: signal.signal(number, set_stopped) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
