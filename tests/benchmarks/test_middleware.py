"""The middleware's benchmark reports what it promises, from few calls."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks import middleware
from benchmarks._harness import Bench, Options
from benchmarks._middleware_rig import Loop


@pytest.fixture
def loop() -> Iterator[Loop]:
    """Where the cases run."""
    loop = Loop()
    yield loop
    loop.close()


class Short(Bench):
    """One round of few calls."""

    def repeats(self, full: int, quick: int) -> int:
        """Always one."""
        return 1


def test_generators_are_timed_beside_classes(loop: Loop) -> None:
    """For one chunk and for a hundred."""
    bench = Short(Options(quick=True))
    middleware.pure(bench, loop)
    assert set(bench.figures) == {"pure_asgi_time_ratio", "pure_asgi_stream_time_ratio"}
    assert all(ratio > 0 for ratio in bench.figures.values())


def test_the_pipeline_is_timed_beside_what_one_would_assemble(loop: Loop) -> None:
    """A peer that is missing is named."""
    bench = Short(Options(quick=True))
    middleware.whole(bench, loop)
    assert bench.comparisons[0]["pipeline"].median > 0
    assert {"pipeline_time_ratio", "pipeline_asgi_time_ratio"} <= set(bench.figures) or bench.missing
