"""What a process costs: memory, processor, files, garbage. Read from ``/proc``; what the system does not tell is left
out."""

from __future__ import annotations

import gc
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from ..._metrics import Labels

_SELF = Path("/proc/self")


def counted(kind: str) -> Iterator[tuple[str, Labels, int]]:
    """Counters of this process since it began, or since its parent did: a forked child has the parent's garbage."""
    times = os.times()
    yield "process_cpu_microseconds_total", (("kind", kind),), round((times.user + times.system) * 1e6)
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
