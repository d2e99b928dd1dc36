"""Gauges that are read when somebody asks: one by one, several at once, and those that every process would tell."""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator

import pytest

from postrmagic_core._metrics import Histogram, Metrics, Told


class Pool:
    """Tells of itself."""

    def __init__(self, metrics: Metrics, size: int) -> None:
        self.size = size
        metrics.report(self.told)

    def told(self) -> Iterator[Told]:
        """Its size, while it has one."""
        yield "pool_size", {"pool": "read"}, 1 / self.size * self.size * self.size


def test_several_tell_under_one_name() -> None:
    """Each once, as they are when asked; labels in one order, whatever order they were given in."""
    metrics = Metrics()
    pools = [Pool(metrics, 2), Pool(metrics, 3)]
    metrics.report(lambda: [("a", {"y": "1", "x": "2"}, True)])
    pools[0].size = 4
    assert list(metrics.gauges()) == [
        ("pool_size", (("pool", "read"),), 4.0),
        ("pool_size", (("pool", "read"),), 3.0),
        ("a", (("x", "2"), ("y", "1")), 1.0),
    ]


def test_nobody_is_kept_alive_to_be_asked() -> None:
    """Whoever is gone tells nothing."""
    metrics = Metrics()
    pool = Pool(metrics, 2)
    assert len(list(metrics.gauges())) == 1
    del pool
    gc.collect()
    assert list(metrics.gauges()) == []


def test_two_who_ask_at_once_are_both_told() -> None:
    """Each of them finds that somebody is gone: the second, too, hears whoever comes after."""
    metrics = Metrics()
    pools = [Pool(metrics, size) for size in (2, 3, 4)]
    slow = metrics.gauges()
    assert next(slow)[2] == 2
    del pools[1]
    gc.collect()
    assert [value for _, _, value in metrics.gauges()] == [2, 4]
    assert [value for _, _, value in slow] == [4]


def test_who_cannot_tell_is_left_out() -> None:
    """Half of what it told too; the others are told."""
    metrics = Metrics()
    pools = [Pool(metrics, 0), Pool(metrics, 5)]
    metrics.gauge("broken", lambda: 1 / 0)
    metrics.gauge("whole", lambda: 7)
    assert [(name, value) for name, _, value in metrics.gauges()] == [("whole", 7.0), ("pool_size", 5.0)]
    assert [pool.size for pool in pools] == [0, 5]


def test_what_is_shared_is_asked_for_by_itself() -> None:
    """It may cost a query: who tells of this process does not pay for it."""
    metrics, asked = Metrics(), []

    def depth() -> Iterator[Told]:
        asked.append(1)
        yield "queue_depth", {"queue": "q"}, 3

    metrics.report(depth, shared=True)
    assert list(metrics.gauges()) == []
    assert asked == []
    assert list(metrics.shared()) == [("queue_depth", (("queue", "q"),), 3.0)]


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 1e300])
def test_a_histogram_passes_over_what_would_spoil_its_sum(value: float) -> None:
    """It is in no bucket; what came before and comes after counts."""
    histogram = Histogram((1.0, math.inf))
    for each in (0.5, value, 2.0):
        histogram.observe(each)
    assert (histogram.bounds, histogram.counts, histogram.sum) == ((1.0,), [1, 1], 2.5)


@pytest.mark.parametrize("bounds", [(1.0, 1.0), (2.0, 1.0), (math.nan,), (-math.inf, 1.0)])
def test_bounds_are_numbers_that_ascend(bounds: tuple[float, ...]) -> None:
    """Said at once, and not when somebody looks."""
    with pytest.raises(ValueError, match="ascend"):
        Histogram(bounds)
