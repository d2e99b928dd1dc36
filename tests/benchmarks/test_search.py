"""The benchmark of the search reports what it promises, from few lines."""

from __future__ import annotations

import json

import pytest

from benchmarks import search
from benchmarks._harness import Bench, Options
from benchmarks._search_dashboard import dashboard_open
from benchmarks._search_lines import Lines


class Short(Bench):
    """Few lines, one round."""

    def scaled(self, full: int, quick: int) -> int:
        """A thousand times fewer than all."""
        return super().scaled(full, 12_000)

    def repeats(self, full: int, quick: int) -> int:
        """Lines, or rounds."""
        return 11_000 if full > 1000 else 2


@pytest.mark.soak
def test_every_figure_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """And says that the data was smaller."""
    monkeypatch.setattr(search, "BATCH", 5000)
    bench = Short(Options(quick=True))
    search.ten_million(bench)
    search.peers(bench)
    named = {"ingest_rate", "bytes_per_line", "search_10m_ms", "search_10m_typical_ms", "story_10m_ms"}
    peers = {"fts5_ingest_speedup", "fts5_bytes_per_line", "grep_speedup", "histogram_10m_ms"}
    assert set(bench.figures) | ({"grep_speedup"} & set(bench.missing)) == named | peers
    assert all(value > 0 for value in bench.figures.values())
    assert bench.scale < 0.01


@pytest.mark.soak
def test_the_dashboard_is_watched_and_not() -> None:
    """Against a running application."""
    bench = Short(Options(quick=True, duration=0.2))
    dashboard_open(bench)
    assert bench.figures["dashboard_open_rate_ratio"] > 0


def test_lines_are_the_same_for_the_same_seed_and_all_different() -> None:
    """Objects of JSON, in the order of their time."""
    first, again = (
        [line for batch in Lines(3000, 5).batches(700) for line in batch],
        [line for batch in Lines(3000, 5).batches(1000) for line in batch],
    )
    assert first == again
    records = [json.loads(line) for line in first]
    assert len({record["trace_id"] for record in records}) == 3000
    assert [record["ts"] for record in records] == sorted(record["ts"] for record in records)
    assert {record["event"].split(":")[0] for record in records} == {
        "request",
        "statement",
        "job done",
        "upload failed",
    }
