"""What a process costs: memory, processor, files, garbage; told once, however many tell of what they count.

Read from ``/proc``; what the system does not tell is left out.
"""

from __future__ import annotations

import gc
import os
import resource
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from ..._lifecycle import after_fork
from ..._metrics import Labels
from .policy import COST, Series

_SELF = Path("/proc/self")


class Process:
    """The figures of a process, which one at a time tells: the first of those that entered and are still there.

    Who comes after it goes on from what it told, since that is among the ended. A forked child has the same tellers and
    begins from zero.
    """

    def __init__(self) -> None:
        self._tellers: list[object] = []
        self._told: dict[Series, int] = {}
        after_fork(self._forked)

    def enter(self, teller: object) -> None:
        """``teller`` tells as soon as nobody does who was there before."""
        self._tellers.append(teller)

    def leave(self, teller: object, told: Mapping[Series, int]) -> None:
        """It tells no more; ``told``: what it did, of these counters."""
        for series, number in told.items():
            key = _unkinded(*series)
            self._told[key] = self._told.get(key, 0) + number
        if teller in self._tellers:
            self._tellers.remove(teller)  # last, since another tells from now on

    def is_told_by(self, teller: object) -> bool:
        """Whether it is the one."""
        return self._tellers[:1] == [teller]

    def counted(self, kind: str) -> Iterator[tuple[str, Labels, int]]:
        """The counters, without what tellers before this one told."""
        for name, labels, number in counted(kind):
            yield name, labels, max(0, number - self._told.get(_unkinded(name, labels), 0))

    def _forked(self) -> None:
        self._told = {_unkinded(name, labels): number for name, labels, number in counted("")}


def _unkinded(name: str, labels: Labels) -> Series:
    # One teller may be a web process, the next a worker: it is the same processor time.
    return name, tuple(pair for pair in labels if pair[0] != "kind")


def counted(kind: str) -> Iterator[tuple[str, Labels, int]]:
    """Counters of this process since it began, or since its parent did: a forked child has the parent's garbage."""
    times = os.times()
    yield COST, (("kind", kind),), round((times.user + times.system) * 1e6)
    for generation, stats in enumerate(gc.get_stats()):
        labels = (("generation", str(generation)),)
        yield "gc_collections_total", labels, stats["collections"]
        yield "gc_collected_total", labels, stats["collected"]
        yield "gc_uncollectable_total", labels, stats["uncollectable"]


def gauged(kind: str) -> Iterator[tuple[str, Labels, float]]:
    """What it takes now."""
    labels = (("kind", kind),)
    for names, read in _READ.items():
        with suppress(OSError, ValueError, IndexError):
            value = read()
            yield from ((name, labels, value) for name in names)


def _memory() -> float:
    return int((_SELF / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _files() -> float:
    return len(os.listdir(_SELF / "fd")) - 1  # noqa: PTH208 - names alone; one is the listing's own


def _most_files() -> float:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _started() -> float:
    """proc(5): field 22 of stat, in ticks since the machine booted; the command's name may hold spaces."""
    ticks = int((_SELF / "stat").read_text().rpartition(")")[2].split()[19])
    booted = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime "))
    return int(booted.split()[1]) + ticks / os.sysconf("SC_CLK_TCK")


_READ: dict[tuple[str, ...], Callable[[], float]] = {
    ("process_resident_memory_bytes", "process_resident_memory_max_bytes"): _memory,
    ("process_open_fds", "process_open_fds_max"): _files,
    ("process_max_fds",): _most_files,
    ("process_start_time_seconds", "process_oldest_start_time_seconds"): _started,
}

THIS = Process()
"""The one that runs this."""
