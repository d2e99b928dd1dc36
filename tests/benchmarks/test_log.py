"""The log's benchmark reports what it promises, from few calls."""

from __future__ import annotations

import logging

import pytest

from benchmarks import log
from benchmarks._harness import Bench, Options


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few lines, and nobody else who hears them."""
    monkeypatch.setattr(log, "LINES", 20)
    monkeypatch.setattr(log, "STALLED", 11_000)
    monkeypatch.setattr(logging.root, "handlers", [])


class Short(Bench):
    """One round of few calls."""

    def repeats(self, full: int, quick: int) -> int:
        """Always one."""
        return 1


def test_a_line_is_timed_beside_other_libraries() -> None:
    """By each that is installed; one that is missing is named."""
    bench = Short(Options(quick=True))
    log.lines(bench)
    log.others(bench)
    speedups = {f"{name}_speedup" for name in ("loguru", "python_json_logger") if name not in bench.missing}
    assert set(bench.figures) == speedups | {"line_us_over_structlog", "line_us", "stdlib_record_us", "filtered_out_us"}
    assert all(bench.figures[name] > 0 for name in speedups)


def test_a_caller_does_not_wait_for_a_disk_that_stands_still() -> None:
    """What the slowest but one of a hundred calls takes is reported, and what most take once the backlog is full."""
    bench = Short(Options(quick=True))
    log.stalled(bench)
    assert set(bench.figures) == {"stalled_disk_p99_us", "stalled_full_us"}
    assert 0 < bench.figures["stalled_full_us"] <= bench.figures["stalled_disk_p99_us"] < 10_000
