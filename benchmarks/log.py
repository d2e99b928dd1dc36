"""What a line of JSON costs, beside other libraries, and what a caller pays while the disk stands still.

Each writes the same record, five fields and two of the context, to a file of the same folder; ours with its secrets
masked. A thread of ours writes: what it does is in the time, which ends when everything is in the file.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Final

from postrmagic_core.log import LogHandle, bind, configure, get_logger
from postrmagic_core.testing.waiting import until

from . import _log_peers as peers
from ._harness import Bench, Case
from ._log_peers import CONTEXT, FIELDS, Write
from ._stats import percentile

TAKES: frozenset[str] = frozenset()
OURS: Final = "log"
LINES = 3000
STALLED = 20_000
"""Calls while the disk stands still: as many as fill the backlog, and as many again."""


def run(bench: Bench) -> None:
    """Report every figure."""
    lines(bench)
    others(bench)
    stalled(bench)


def lines(bench: Bench) -> None:
    """``line_us_over_structlog``: a line's microseconds beyond those of structlog's fastest set-up.

    ``line_us``: in all; ``stdlib_record_us``: of a record of the standard library's, by the same chain;
    ``filtered_out_us``: of a record below the level.
    """
    with ExitStack() as opened:
        folder, handle = opened.enter_context(writing())
        log, plain = get_logger("media.uploads"), logging.getLogger("media.uploads")
        extra = {f"of_{name}": value for name, value in FIELDS.items()}
        theirs, theirs_out = peers.structlog(folder / "structlog.log", opened)
        cases = [
            Case(OURS, partial(many, lambda: log.info("uploaded", **FIELDS), handle)),
            Case("structlog", partial(many, theirs)),
            Case("of the standard library", partial(many, lambda: plain.info("uploaded", extra=extra), handle)),
        ]
        found = bench.pair(f"{LINES} lines, in the file", cases, rounds=bench.repeats(40, 10))
        bench.figure("line_us_over_structlog", found.above(OURS, "structlog") / LINES * 1e6)
        bench.figure("line_us", found[OURS].median / LINES * 1e6)
        bench.figure("stdlib_record_us", found["of the standard library"].median / LINES * 1e6)
        cases = [Case(OURS, lambda: log.debug("uploaded", **FIELDS)), Case("structlog", theirs_out)]
        out = bench.pair("below the level", cases, rounds=bench.repeats(40, 8), calls=5, batch=2000)
        bench.figure("filtered_out_us", out[OURS].median * 1e6)
        counted(handle)


def others(bench: Bench) -> None:
    """``loguru_speedup``, ``python_json_logger_speedup``: how many times as long the same line takes there."""
    with ExitStack() as opened:
        folder, handle = opened.enter_context(writing())
        log = get_logger("media.uploads")
        cases = [Case(OURS, partial(many, lambda: log.info("uploaded", **FIELDS), handle))]
        for name in ("loguru", "python_json_logger"):
            theirs = bench.peer(name, partial(getattr(peers, name), folder / f"{name}.log", opened))
            if theirs is not None:
                cases.append(Case(name, partial(many, theirs)))
        found = bench.pair(f"{LINES} lines, by other libraries", cases, rounds=bench.repeats(15, 5))
        for case in cases[1:]:
            bench.figure(f"{case.name}_speedup", found.rate_ratio(OURS, case.name))
        counted(handle)


def stalled(bench: Bench) -> None:
    """``stalled_disk_p99_us``: what a call takes, of 100 the slowest but one, while nothing can be written.

    Of the calls that fill the backlog and of as many after them; ``stalled_full_us``: the median of the latter.
    """
    log, clock = get_logger("media.uploads"), time.perf_counter
    best: list[float] = []
    full = []
    for _ in range(bench.repeats(5, 3)):
        with stuck() as handle, bind(**CONTEXT):
            times = []
            for _ in range(STALLED):
                begin = clock()
                log.info("uploaded", **FIELDS)
                times.append(clock() - begin)
            if handle.dropped == 0:
                raise AssertionError("the backlog was expected to be full")
        best.append(percentile(times, 0.99))
        full.append(percentile(times[STALLED // 2 :], 0.5))
    bench.figure("stalled_disk_p99_us", percentile(best, 0.5) * 1e6)
    bench.figure("stalled_full_us", percentile(full, 0.5) * 1e6)


@contextmanager
def writing() -> Iterator[tuple[Path, LogHandle]]:
    """A folder, and our log in a file of it, with the context bound."""
    with (
        tempfile.TemporaryDirectory() as folder,
        configure(format="json", file=Path(folder) / "ours.log") as handle,
        bind(**CONTEXT),
    ):
        yield Path(folder), handle


@contextmanager
def stuck() -> Iterator[LogHandle]:
    """Our log into a pipe that is full and that nobody reads until the end; its thread is stuck there already."""
    reading, end = os.pipe()
    with ExitStack() as opened:
        os.set_blocking(end, False)
        try:
            while os.write(end, b"\n" * 4096):
                pass
        except BlockingIOError:
            os.set_blocking(end, True)
        stream = opened.enter_context(os.fdopen(end, "w", encoding="utf-8"))
        drain = threading.Thread(target=_drained, args=(reading,))
        opened.callback(drain.join)
        opened.callback(stream.close)
        opened.enter_context(redirect_stderr(StringIO()))
        handle = opened.enter_context(configure(format="json", stream=stream))
        opened.callback(drain.start)
        get_logger("media.uploads").info("taken")  # else the thread might take half of what is to fill the backlog
        until(lambda: all(value == 0 for name, _, value in handle.metrics.gauges() if name == "log_backlog"))
        yield handle


def _drained(descriptor: int) -> None:
    while os.read(descriptor, 1 << 20):
        pass
    os.close(descriptor)


def many(write: Write, handle: LogHandle | None = None) -> None:
    """So many lines, until they are in the file."""
    for _ in range(LINES):
        write()
    if handle is not None and not handle.flush():
        raise AssertionError("the lines were expected to be written")


def counted(handle: LogHandle) -> None:
    """Nothing was faster for having been left out."""
    if handle.dropped:
        raise AssertionError(f"{handle.dropped} lines were dropped")


if __name__ == "__main__":
    from .__main__ import main

    raise SystemExit(main(["run", "log", *sys.argv[1:]]))
