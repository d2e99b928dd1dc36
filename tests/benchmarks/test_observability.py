"""The observability's benchmark reports what it promises, from few requests."""

from __future__ import annotations

import pytest

from benchmarks import observability
from benchmarks._harness import Bench, Options


class Short(Bench):
    """Two rounds."""

    def repeats(self, full: int, quick: int) -> int:
        """Always two."""
        return 2


@pytest.mark.soak
def test_the_library_is_watched_and_not() -> None:
    """Each way of watching over none."""
    bench = Short(Options(quick=True, duration=0.1))
    observability.run(bench)
    assert set(bench.figures) == {"everything_on_rate_ratio", "untraced_rate_ratio", "traced_rate_ratio"}
    assert all(value > 0 for value in bench.figures.values())
