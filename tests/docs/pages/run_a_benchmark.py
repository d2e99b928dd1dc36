"""A cache of ours, and one of somebody else's: the page is a module of `benchmarks`."""

from __future__ import annotations

from benchmarks._harness import Bench, Options
from tests.docs.playing import Page


def play(page: Page) -> None:
    """It measures both."""
    page.names.update(__package__="benchmarks", ours=dict, theirs=dict, load_theirs=lambda: dict)
    shown = page.run()
    bench = Bench(Options(quick=True))
    shown["run"](bench)
    assert set(bench.figures) == {"hit_us", "hit_time_ratio"}
