"""The logs of one machine: a spool, an index, and lines as the log writes them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from postrmagic_core._clock import from_us
from postrmagic_core._metrics import Metrics
from postrmagic_core.log.search import Collector, LogIndex
from postrmagic_core.log.spool import Spool
from postrmagic_core.testing import FakeClock
from postrmagic_core.testing.faults import VARIABLE

# A busy machine may need long; a test whose guard is taken away is to fail anyway.
PATIENCE = 10.0 if VARIABLE in os.environ else 60.0
NOON = 1_767_268_800_000_000
"""2026-01-01T12:00:00Z, in microseconds."""


def stamp(us: int) -> str:
    """As a record writes it."""
    return from_us(us).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Logs:
    """The directory of one machine's logs, with a clock that begins at noon."""

    def __init__(self, directory: Path) -> None:
        self.spool, self.index = directory / "spool", directory / "index"
        self.clock = FakeClock(start=from_us(NOON))
        self.metrics = Metrics()
        self._spool = Spool(self.spool)
        self.found = LogIndex(self.index, self.clock)

    def log(self, event: str, level: str = "info", at: int = 0, **fields: Any) -> None:
        """One record, so many seconds after noon."""
        self.log_all([self.record(event, level, at, **fields)])

    @staticmethod
    def record(event: str, level: str = "info", at: float = 0, **fields: Any) -> dict[str, Any]:
        """What :meth:`log` writes."""
        ts = stamp(NOON + int(at * 1e6))
        return {"ts": ts, "level": level, "logger": "tests", "event": event} | fields

    def log_all(self, records: Iterable[dict[str, Any]]) -> None:
        """Records, in the spool."""
        self.put([orjson.dumps(record) for record in records])

    def put(self, lines: list[bytes]) -> None:
        """Lines, in the spool."""
        while lines:
            lines = lines[self._spool.write(lines) :]

    def collector(self, *, days: float = 36_500.0, max_bytes: int = 1 << 40) -> Collector:
        """A collector of these logs, which keeps everything unless the options say otherwise."""
        return Collector(self.spool, self.index, days=days, max_bytes=max_bytes, metrics=self.metrics, clock=self.clock)

    def collect(self, **options: Any) -> None:
        """Everything in the spool, into the index."""
        assert self.collector(**options).catch_up()

    def count(self, name: str) -> int:
        """The present value of a counter."""
        return next((value for counted, _, value in self.metrics.counters() if counted == name), 0)

    def events(self, query: str = "", **options: Any) -> list[str]:
        """The events of what is found, newest first."""
        return [record["event"] for record in self.found.search(query, **options).records]

    def close(self) -> None:
        """Close the spool."""
        self._spool.close()
