"""What it takes to index a log, and to find something in ten million lines of it; beside plain FTS5 and grep.

The lines are as an application writes them, about 380 bytes each: requests, statements, jobs, and failures with a
nested exception, every one with ids of its own, a thousand a second. They come through the spool, as in production;
only the collector's part is timed. With ``--quick`` it is 300,000 lines, and the result says so as ``scale``. Beside
them: what an open dashboard costs the application.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from postrmagic_core.log.search import Collector, LogIndex
from postrmagic_core.log.spool import Spool

from ._harness import Bench, Case
from ._search_dashboard import dashboard_open
from ._search_lines import Lines
from ._search_peers import Fts5, Grep
from ._stats import percentile

TAKES: frozenset[str] = frozenset({"duration"})
OURS: Final = "log index"
BATCH: Final = 50_000
SPOOL_BYTES: Final = 256 * 1024 * 1024


def run(bench: Bench) -> None:
    """Report every figure."""
    ten_million(bench)
    peers(bench)
    dashboard_open(bench)


def ten_million(bench: Bench) -> None:
    """``ingest_rate``: lines a second; ``bytes_per_line`` of the index; ``search_10m_ms``: the first page, 95th of 100.

    Of selective queries, each another: an id, a user's time-outs, a word that nobody logged, a user's failures on a
    path. ``search_10m_typical_ms``: the median of the same; ``story_10m_ms``: the story of a trace;
    ``histogram_10m_ms``: warnings of the whole time, by the minute.
    """
    number = bench.scaled(10_000_000, 300_000)
    with tempfile.TemporaryDirectory() as folder:
        lines = Lines(number, bench.options.seed + 1)
        seconds = collected(Path(folder), lines)
        bench.figure("ingest_rate", number / seconds)
        bench.figure("bytes_per_line", size(Path(folder) / "index") / number)
        index = LogIndex(Path(folder) / "index")
        times = [timed(partial(index.search, query)) for query in queries(lines, bench.repeats(10, 5))]
        bench.figure("search_10m_ms", percentile(times, 0.95) * 1e3)
        bench.figure("search_10m_typical_ms", percentile(times, 0.5) * 1e3)
        told = [timed(partial(index.story, trace)) for trace in lines.traces[:: max(1, len(lines.traces) // 5)][:5]]
        bench.figure("story_10m_ms", percentile(told, 0.5) * 1e3)
        counted = [timed(partial(index.histogram, "level>=warning since:2026-01-01", 60)) for _ in range(3)]
        bench.figure("histogram_10m_ms", percentile(counted, 0.5) * 1e3)


def queries(lines: Lines, each: int) -> list[str]:
    """``each`` of every kind, from all over the time."""

    def some(values: Sequence[object]) -> list[object]:
        return list(values[:: max(1, len(values) // each)][:each])

    return [
        *(f"trace:{trace}" for trace in some(lines.traces)),
        *(f"{job}" for job in some(lines.jobs)),
        *(f"user:{user} timed out" for user in some(lines.users)),
        *(f'user:{user} level>=warning exception.type:TimeoutError "the storage"' for user in some(lines.users)),
        *(f"nobody{number} logged this" for number in range(each)),
    ]


def collected(folder: Path, lines: Lines) -> float:
    """Seconds that a collector takes for ``lines``; what comes between the batches is not in them."""
    spool = Spool(folder / "spool", SPOOL_BYTES)
    collector = Collector(folder / "spool", folder / "index", days=36_500.0, max_bytes=1 << 40)
    seconds = 0.0
    for batch in lines.batches(BATCH):
        done = 0
        while done < len(batch):
            done += spool.write(batch[done:])
        begin = time.perf_counter()
        if not collector.catch_up(600.0):
            raise AssertionError("everything was expected to be collected")
        seconds += time.perf_counter() - begin
    spool.close()
    return seconds


def peers(bench: Bench) -> None:
    """``fts5_ingest_speedup``, ``fts5_bytes_per_line``: a plain table of whole lines; ``grep_speedup``: of a search."""
    number = bench.repeats(200_000, 50_000)
    with tempfile.TemporaryDirectory() as folder:
        lines = Lines(number, bench.options.seed + 2)
        plain = [line for batch in Lines(number, bench.options.seed + 2).batches(BATCH) for line in batch]
        seconds = collected(Path(folder) / "ours", lines)
        fts5, index = Fts5(Path(folder) / "fts5.db"), LogIndex(Path(folder) / "ours" / "index")
        bench.figure("fts5_ingest_speedup", timed(partial(fts5.write, plain)) / seconds)
        bench.figure("fts5_bytes_per_line", fts5.bytes() / number)
        trace = lines.traces[len(lines.traces) // 2]
        cases = [
            Case(OURS, lambda: found(index.search(f"trace:{trace}").records)),
            Case("fts5", lambda: fts5.find(trace)),
        ]
        grep = bench.peer("grep", lambda: Grep(Path(folder) / "lines.jsonl"))
        if grep is not None:
            grep.write(plain)
            cases.append(Case("grep", lambda: grep.find(trace)))
        compared = bench.pair(f"one trace among {number} lines", cases, rounds=bench.repeats(20, 5))
        if grep is not None:
            bench.figure("grep_speedup", compared.rate_ratio(OURS, "grep"))


def found(records: Sequence[object]) -> None:
    """Nothing was faster for not having been found."""
    if len(records) != 1:
        raise AssertionError(f"one record was expected, {len(records)} were found")


def timed(call: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def size(directory: Path) -> int:
    """Bytes of the files in a directory."""
    return sum(path.stat().st_size for path in directory.iterdir() if path.suffix != ".db-shm")


if __name__ == "__main__":
    from .__main__ import main

    raise SystemExit(main(["run", "search", *sys.argv[1:]]))
