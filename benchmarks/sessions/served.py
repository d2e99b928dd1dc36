"""The application under fifty clients at once, as PostrMagic kept its sessions and as this package does.

Either side has the same number of processes, and files of its own on the same disk; they take turns, and who does not
have its turn is idle. See ``original`` for what its behaviour is taken from, and ``workers`` for how both are served.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from .._harness import Bench
from .._stats import Comparison, Sample, percentile
from . import kept, library, original
from .client import CLIENTS, UPLOADS, Found

ORIGINAL, ON_WAL, OURS, CORE = "original", "original_wal", "ours", "ours_core"
FEW = 5
"""``pm.max_children`` in the pool that php-fpm comes with. Apache with PHP in it has a process for each client."""
_LABELS = {OURS: "ours", CORE: "ours, with SQLAlchemy", ORIGINAL: "original", ON_WAL: "original, its file on WAL"}
_PREPARE: dict[str, Callable[[Path, int], list[str]]] = {
    OURS: kept.prepare,
    CORE: kept.prepare,
    ORIGINAL: original.prepare,
    ON_WAL: partial(original.prepare, wal=True),
}
_TOKENS = "tokens.json"
_ROOT = Path(__file__).parents[2]
_PATIENCE = 180.0
_LONGEST = 60.0


@dataclass(frozen=True)
class Served:
    """A side whose processes run: where they listen, and the file of its sessions' tokens."""

    listens: Path
    tokens: Path

    def asked(self, seconds: float, seed: int) -> Found:
        """What the clients, a process of their own, found in so many seconds."""
        argv = [sys.executable, "-m", "benchmarks.sessions.client", str(self.listens), str(self.tokens)]
        argv += [str(seconds), str(seed)]
        ran = subprocess.run(argv, cwd=_ROOT, check=True, stdout=subprocess.PIPE, timeout=seconds + _PATIENCE)
        return Found(**json.loads(ran.stdout))


def compared(bench: Bench) -> None:
    """``app_rate_ratio``: answers a second, ours over the original's; ``app_time_ratio``: the 95th percentiles.

    Both sides have a process for each client. With ``.few`` both have five; with ``.core`` ours runs its list by
    SQLAlchemy's Core; with ``.wal`` the original's file has a write-ahead log. ``locked``: requests that ours refused
    since it gave up waiting for a database's lock. The disk decides how slow the original is: ``app_fsync_us`` is what
    it takes to make 4 KiB durable.
    """
    seconds = bench.options.duration or (0.7 if bench.options.quick else 6.0)
    with tempfile.TemporaryDirectory(prefix="sessions-") as name:
        folder = Path(name)
        bench.figure("app_fsync_us", _fsync(folder / "fsync") * 1e6)
        prepared(folder, bench.scaled(4000, 1000))
        found = _in_turns(bench, folder, seconds, list(_LABELS), CLIENTS)
        few = _in_turns(bench, folder, seconds, [ORIGINAL, OURS], FEW)
    for processes, sides in ((CLIENTS, found), (FEW, few)):
        title = f"{CLIENTS} clients list media, one request in {UPLOADS} uploads; {processes} processes a side"
        samples = {_LABELS[name]: _sample(name, rounds) for name, rounds in sides.items()}
        bench.comparisons.append(Comparison(title, samples))
    for name, rounds in found.items():
        bench.figure(f"app_rate.{name}", median(one.rate for one in rounds))
        bench.figure(f"app_p95_ms.{name}", median(map(_p95, rounds)) * 1e3)
    bench.figure("locked", sum(one.locked for one in [*found[OURS], *found[CORE], *few[OURS]]))
    _compare(bench, "", found[OURS], found[ORIGINAL])
    _compare(bench, ".core", found[CORE], found[ORIGINAL])
    _compare(bench, ".wal", found[OURS], found[ON_WAL])
    _compare(bench, ".few", few[OURS], few[ORIGINAL])


def _compare(bench: Bench, suffix: str, ours: list[Found], theirs: list[Found]) -> None:
    pairs = list(zip(ours, theirs, strict=True))
    bench.figure(f"app_rate_ratio{suffix}", median(one.rate / other.rate for one, other in pairs))
    bench.figure(f"app_time_ratio{suffix}", median(_p95(one) / _p95(other) for one, other in pairs))


def prepared(folder: Path, users: int, names: Iterable[str] = tuple(_LABELS)) -> None:
    """The sides' files, and the tokens of their sessions."""
    for name in names:
        (folder / name).mkdir()
        library.seed(folder / name, users)
        (folder / name / _TOKENS).write_text(json.dumps(_PREPARE[name](folder / name, users)), encoding="utf-8")


def _in_turns(
    bench: Bench, folder: Path, seconds: float, names: Iterable[str], processes: int
) -> dict[str, list[Found]]:
    drawn = random.Random(bench.options.seed)
    found: dict[str, list[Found]] = {name: [] for name in names}
    with ExitStack() as opened:
        sides = {name: opened.enter_context(running(name, folder / name, processes)) for name in found}
        for _ in range(bench.repeats(5, 2)):
            for name in drawn.sample(list(sides), len(sides)):
                found[name].append(_asked(sides[name], seconds, drawn.randrange(2**32)))
    return found


def _asked(side: Served, seconds: float, seed: int) -> Found:
    """In a longer time where nobody was answered in it."""
    longest = max(seconds, _LONGEST)
    while seconds <= longest:
        found = side.asked(seconds, seed)
        if found.times and found.rate:
            return found
        seconds *= 4
    raise RuntimeError(f"nobody was answered in {seconds / 4:g} s")


def _fsync(file: Path, times: int = 200) -> float:
    """Seconds that the disk takes to make 4 KiB durable: the median."""
    taken = []
    with file.open("wb", buffering=0) as written:
        for number in range(times):
            written.seek(number % 50 * 4096)
            written.write(os.urandom(4096))
            begin = time.perf_counter()
            os.fsync(written.fileno())
            taken.append(time.perf_counter() - begin)
    return median(taken)


def _sample(name: str, rounds: list[Found]) -> Sample:
    times = [taken for one in rounds for taken in one.times]
    means = [sum(one.times) / len(one.times) for one in rounds]
    return Sample(_LABELS[name], means, times, [one.rate for one in rounds])


def _p95(found: Found) -> float:
    return percentile(found.times, 0.95)


@contextmanager
def running(name: str, folder: Path, processes: int) -> Iterator[Served]:
    """The side ``name`` in so many processes, its files in ``folder``."""
    with ExitStack() as opened:
        # A socket's name has at most 107 bytes, wherever the files are.
        short = tempfile.TemporaryDirectory(prefix="s", dir="/tmp")  # nosec B108 # a private directory in it
        listens = Path(opened.enter_context(short)) / "listens"
        served = Served(listens, folder / _TOKENS)
        listener = opened.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(served.listens))
        listener.listen(4 * CLIENTS)
        shared = listener.fileno()
        argv = [sys.executable, "-m", "benchmarks.sessions.workers", name, str(folder), str(shared), str(processes)]
        group = subprocess.Popen(argv, cwd=_ROOT, pass_fds=[shared], stdout=subprocess.PIPE, start_new_session=True)
        with group:
            assert group.stdout is not None
            try:
                for _ in range(processes):
                    if group.stdout.readline() != b"ready\n":
                        raise RuntimeError(f"the processes of {name} did not start")
                yield served
            finally:
                os.killpg(group.pid, signal.SIGKILL)
                group.stdout.read()  # to its end: the last of the group is gone
