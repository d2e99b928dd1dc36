"""The events' benchmark reports what it promises, from few events."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import events
from benchmarks._harness import Bench, Options


@pytest.mark.soak
def test_every_durable_event_is_counted_once_delivered(tmp_path: Path) -> None:
    """Events a second, by database; the slower one is the figure."""
    bench = Bench(Options(quick=True))
    events.durable(bench, {"sqlite": f"sqlite:///{tmp_path / 'events.db'}"})
    assert bench.figures["durable_rate"] == bench.figures["durable_rate.sqlite"] > 0
    assert bench.scale < 1


def test_a_peer_that_is_missing_is_named() -> None:
    """And ours is timed all the same."""
    bench = Bench(Options(quick=True))
    events.emitted(bench, 1)
    assert bench.comparisons[0]["emit()"].median > 0
    assert "emit_1_time_ratio" in bench.figures or "blinker" in bench.missing


@pytest.mark.soak
def test_ticks_are_timed(tmp_path: Path) -> None:
    """From their instants on: never before them."""
    bench = Bench(Options(quick=True))
    events.ticks(bench, {"sqlite": f"sqlite:///{tmp_path / 'ticks.db'}"})
    assert bench.figures["tick_late_ms.sqlite"] > 0
