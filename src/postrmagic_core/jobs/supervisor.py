"""Worker processes under a supervisor: one that dies stops no other and is started again after a back-off."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from .readiness import Hearing

logger = logging.getLogger("postrmagic_core.jobs")

SPENT = 75
"""The exit status of a process that has grown beyond its memory ceiling (``EX_TEMPFAIL`` of sysexits.h)."""

_STEADY = 10.0
_FIRST = 0.2
_LAST = 10.0
_LOOK = 0.1
_LOOP = 3
# A terminal's Ctrl-C reaches a whole group of processes, whose parents then pass it on: that is one wish, not two.
_ONE_WISH = 0.5


class Supervisor:
    """Keeps ``count`` processes of ``command`` running until stopped: SIGTERM, and SIGKILL after ``grace`` seconds.

    ``ready`` is told each time it changes whether every process works: each is given one argument more, the descriptor
    at which it says so (:class:`~postrmagic_core.jobs.readiness.Telling`).
    """

    def __init__(
        self,
        command: Sequence[str],
        count: int,
        *,
        grace: float = 40.0,
        ready: Callable[[bool], None] | None = None,
    ) -> None:
        if count < 1:
            raise ValueError(f"a supervisor needs at least 1 process to watch, got {count}")
        self._slots = [Slot(command, heard=ready is not None) for _ in range(count)]
        self._tell_ready = ready or (lambda ready: None)
        self._ready = False
        self._grace = grace
        self._stopped = threading.Event()
        self._asked = 0.0
        self._hurried = False

    def stop(self) -> None:
        """Have :meth:`run` end; asked again half a second later or more, at once. May be called by a signal handler."""
        now = time.monotonic()
        if not self._stopped.is_set():
            self._asked = now
            self._stopped.set()
        elif now - self._asked >= _ONE_WISH:
            self._hurried = True

    def run(self) -> int:
        """Start the processes and watch them until :meth:`stop`; how many had to be killed then."""
        try:
            while not self._stopped.wait(_LOOK):
                for slot in self._slots:
                    slot.watch()
                self._look(all(slot.works for slot in self._slots))
        finally:
            self._look(False)
            killed = self._end()
        return killed

    def _look(self, ready: bool) -> None:
        if ready is not self._ready:
            self._ready = ready
            self._tell_ready(ready)

    def _end(self) -> int:
        running = [slot.process for slot in self._slots if slot.process is not None]
        for process in running:
            process.terminate()
        until = time.monotonic() + self._grace
        while running and not self._hurried and time.monotonic() < until:
            time.sleep(_LOOK / 2)
            running = [process for process in running if process.poll() is None]
        for process in running:
            why = "the stop was asked for twice" if self._hurried else "it did not end within its grace"
            logger.error("worker process %d is killed: %s; its jobs are delivered again", process.pid, why)
            process.kill()
            process.wait()
        for slot in self._slots:
            slot.close()
        return len(running)


class Slot:
    """One of the processes, through its restarts."""

    def __init__(self, command: Sequence[str], *, heard: bool = False) -> None:
        self._command = list(command)
        self._hearing = Hearing() if heard else None
        self._ends = 0
        self._start_at = 0.0
        self._started = 0.0
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def works(self) -> bool:
        """Whether its process said last that it works; never, unless it is ``heard``."""
        return self._hearing is not None and self._hearing.works

    def close(self) -> None:
        """Hear no more of a process."""
        if self._hearing is not None:
            self._hearing.close()

    def watch(self) -> None:
        """Start the process if it is time; note its end if it has ended."""
        now = time.monotonic()
        if self.process is not None:
            code = self.process.poll()
            if code is None:
                return
            self._ended(self.process.pid, code, now)
        if now >= self._start_at:
            self.process = self._start()
            self._started = now

    def _start(self) -> subprocess.Popen[bytes]:
        if self._hearing is None:
            return subprocess.Popen(self._command)  # noqa: S603 - our own interpreter and module
        told = self._hearing.begin()
        try:
            return subprocess.Popen([*self._command, str(told)], pass_fds=[told])  # noqa: S603 - as above
        finally:
            os.close(told)

    def _ended(self, pid: int, code: int, now: float) -> None:
        self._ends = 1 if now - self._started >= _STEADY else self._ends + 1
        # One that has drained is replaced at once, unless that is how each of them ends soon after its start.
        meant = code in (0, SPENT)
        pause = restart_delay(self._ends - 1 if meant else self._ends)
        logger.log(
            logging.WARNING if meant else logging.ERROR,
            "worker process %d %s; another is started %s%s",
            *(pid, ending(code), f"in {pause:.1f} s" if pause else "now"),
            f" ({self._ends} in a row ended within {_STEADY:.0f} s of their start)" if self._ends >= _LOOP else "",
        )
        self.process = None
        self.close()
        self._start_at = now + pause


def ending(code: int) -> str:
    """How a process ended, by :attr:`subprocess.Popen.returncode`, in words."""
    if code == 0:
        return "has drained and ended, as it was told to"
    if code == SPENT:
        return "has drained and ended, since its memory had grown beyond its ceiling"
    if code > 0:
        return f"failed with status {code}: what it said last is why"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"was ended by {name}" + (", perhaps for want of memory" if name == "SIGKILL" else "")


def restart_delay(ends: int) -> float:
    """Seconds before a process is started again that has ended so many times in a row: 0, 0.2, doubling to 10."""
    return min(_LAST, _FIRST * 2.0 ** min(ends - 1, 16)) if ends else 0.0


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
