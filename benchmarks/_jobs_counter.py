"""A count that costs every side the same: each thread of each process has a slot of its own in one mapped file."""

from __future__ import annotations

import fcntl
import mmap
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

_VARIABLE = "BENCHMARK_JOBS_COUNTER"
_SLOTS = 4096
# A cache line each, so that no thread waits for another's: how many, the first and the last instant (nanoseconds).
_WIDTH = 8
_COUNT, _FIRST, _LAST = range(3)
_PAUSE = 0.005


class _Mine(threading.local):
    slot: memoryview[int] | None = None


_mine = _Mine()


def _forget() -> None:
    _mine.slot = None


os.register_at_fork(after_in_child=_forget)


def tick() -> None:
    """Count one job, in the file of :func:`count_into`: what every side's job does, and nothing else."""
    slot = _mine.slot or _taken()
    now = time.monotonic_ns()
    slot[_LAST] = now
    slot[_FIRST] = slot[_FIRST] or now
    slot[_COUNT] += 1


def count_into(path: Path) -> None:
    """Let this process, and those it starts, count into ``path``."""
    os.environ[_VARIABLE] = str(path)
    _forget()


def _taken() -> memoryview[int]:
    """A slot nobody has; slot 0 says how many are taken."""
    with Path(os.environ[_VARIABLE]).open("r+b") as file:
        numbers = memoryview(mmap.mmap(file.fileno(), 0)).cast("q")
        fcntl.flock(file, fcntl.LOCK_EX)
        numbers[0] += 1
        first = numbers[0] * _WIDTH
        # Closing would not do: the mapping keeps a descriptor of its own, and the lock with it.
        fcntl.flock(file, fcntl.LOCK_UN)
    _mine.slot = numbers[first : first + _WIDTH]
    return _mine.slot


class Counter:
    """The file as its maker reads it; instants are of the monotonic clock, which all processes share, in seconds."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(_SLOTS * _WIDTH * 8))
        self.path = path
        with path.open("r+b") as file:
            self._numbers = memoryview(mmap.mmap(file.fileno(), 0)).cast("q")

    def __len__(self) -> int:
        return sum(self._column(_COUNT))

    @property
    def first(self) -> float:
        """When the first job began."""
        return min(self._column(_FIRST)) / 1e9

    @property
    def last(self) -> float:
        """When the latest job began."""
        return max(self._column(_LAST)) / 1e9

    def wait(self, number: int, timeout: float, alive: Callable[[], bool] = lambda: True) -> None:
        """Until ``number`` jobs are counted; :class:`TimeoutError` after ``timeout`` seconds, or if not ``alive``."""
        begin = time.monotonic()
        while len(self) < number:
            if time.monotonic() > begin + timeout or not alive():
                raise TimeoutError(f"{len(self)} of {number} jobs had run after {time.monotonic() - begin:.1f} s")
            time.sleep(_PAUSE)

    def _column(self, which: int) -> list[int]:
        taken = range(1, self._numbers[0] + 1)
        return [self._numbers[slot * _WIDTH + which] for slot in taken if self._numbers[slot * _WIDTH + _FIRST]]
