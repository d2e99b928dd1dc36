"""What two readings come to, and what samples look like from afar."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core._metrics import LATENCY_BOUNDS, Histogram
from postrmagic_core.observability.history import policy
from postrmagic_core.observability.history.policy import Counted, Sample
from postrmagic_core.observability.history.series import SERIES
from postrmagic_core.observability.metrics.policy import Buckets, Totals

counts = st.lists(st.integers(0, 1000), min_size=len(LATENCY_BOUNDS) + 1, max_size=len(LATENCY_BOUNDS) + 1)


def requests(number: int, status: str = "200", route: str = "/a", method: str = "GET") -> Totals:
    """So many requests to a route."""
    return Totals({("http_requests_total", (("method", method), ("route", route), ("status", status))): number})


def buckets(*values: float) -> Buckets:
    """A histogram of these."""
    histogram = Histogram()
    for value in values:
        histogram.observe(value)
    return Buckets(histogram.bounds, tuple(histogram.counts), 0)


def everything(factor: int) -> Totals:
    """Figures of each kind, which grow with ``factor``."""
    queue = (("queue", "q"),)
    page = buckets(*[1.0] * 4 * factor)
    return Totals(
        {
            ("http_requests_total", (("method", "GET"), ("route", "/a"), ("status", "200"))): 90 * factor,
            ("http_requests_total", (("method", "GET"), ("route", "/a"), ("status", "503"))): 10 * factor,
            ("cache_hits_total", ()): 6 * factor,
            ("cache_stale_total", ()): 2 * factor,
            ("cache_misses_total", ()): 2 * factor,
            ("jobs_processed_total", (("outcome", "succeeded"), ("queue", "q"))): 20 * factor,
            ("jobs_processed_total", (("outcome", "retrying"), ("queue", "q"))): 10 * factor,
            ("sessions_saved_total", ()): 5 * factor,
            ("errors_seen_total", ()): factor,
            ("shop_orders_total", ()): 1000 * factor,
        },
        {
            ("http_request_duration_seconds", (("route", "/a"),)): buckets(*[0.03] * 99 * factor, *[3.0] * factor),
            ("db_pool_hold_seconds", (("pool", "read"),)): buckets(*[0.0007] * 40 * factor),
            ("db_pool_hold_seconds", (("pool", "write"),)): buckets(*[0.0007] * 10 * factor),
            ("page_load_seconds", (("page", "/"),)): page,
        },
        {
            ("process_resident_memory_bytes", (("kind", "web"),)): 100.0,
            ("process_resident_memory_bytes", (("kind", "worker"),)): 50.0,
            ("jobs_queue_depth", (*queue, ("state", "queued"))): 7.0,
            ("jobs_queue_depth", (*queue, ("state", "dead"))): 3.0,
            ("outbox_waiting", (("topic", "jobs"),)): 4.0,
            ("db_pool_in_use", (("pool", "read"),)): 3.0,
            ("db_pool_capacity", (("pool", "read"),)): 10.0,
            ("db_pool_capacity", (("pool", "write"),)): 2.0,
        },
    )


def test_each_series_is_told() -> None:
    """Rates by the time that passed, shares by what was counted in it, quantiles by what was measured in it."""
    now = policy.relevant(everything(3))
    found = policy.derived(policy.relevant(everything(1)), now, 10.0) | policy.gauged(now)
    assert found.keys() == SERIES.keys()
    assert {name: round(value, 6) for name, value in found.items() if not name.startswith(("response", "query"))} == {
        "requests_per_second": 20.0,
        "error_share": 0.1,
        "queries_per_second": 10.0,
        "cache_hit_share": 0.8,
        "memory_bytes": 150.0,
        "jobs_waiting": 7.0,
        "jobs_per_second": 6.0,
        "job_failures_per_second": 2.0,
        "outbox_waiting": 4.0,
        "pool_in_use_share": 0.25,
        "page_load_p75": 0.875,
        "sessions_per_second": 1.0,
        "log_errors_per_second": 0.2,
    }
    assert 0.025 < found["response_p50"] < found["response_p95"] < 0.05 <= found["response_p99"] < 5
    assert 0.0005 < found["query_p95"] <= 0.001
    assert not any(name == "shop_orders_total" for name, _ in now.counters)


def test_where_nothing_happened_shares_and_quantiles_are_not_told() -> None:
    """Nobody can say which part of nothing failed; nothing a second is a figure."""
    found = policy.derived(everything(1), everything(1), 10.0)
    assert found["requests_per_second"] == found["jobs_per_second"] == 0
    assert not {"error_share", "response_p95", "query_p95", "cache_hit_share", "page_load_p75"} & found.keys()
    assert policy.derived(Totals(), Totals(), 10.0) == policy.gauged(Totals()) == {}


def test_what_went_back_is_seen() -> None:
    """A series that is gone counts too; one that others make up for does not."""
    assert policy.fell(requests(10), requests(9))
    assert policy.fell(requests(10), Totals())
    assert not policy.fell(requests(10), requests(10))
    assert not policy.fell(Totals(), requests(1))
    moved = Totals({**requests(4).counters, **requests(6, status="404").counters})
    assert not policy.fell(requests(10), moved)


@given(before=counts, more=counts, seconds=st.floats(0.1, 60))
def test_no_point_is_negative_or_no_number(before: list[int], more: list[int], seconds: float) -> None:
    """Whatever the figures were, up or down."""
    labels = (("method", "GET"), ("route", "/"), ("status", "500"))

    def totals(numbers: list[int]) -> Totals:
        return Totals(
            {("http_requests_total", labels): sum(numbers)},
            {("http_request_duration_seconds", ()): Buckets(LATENCY_BOUNDS, tuple(numbers), 0)},
        )

    found = policy.derived(totals(before), totals(more), seconds)
    assert all(math.isfinite(value) and value >= 0 for value in found.values())
    assert found.get("error_share", 0) <= 1


@given(counts=counts)
def test_quantiles_grow_and_lie_in_their_bucket(counts: list[int]) -> None:
    """And none is beyond the last bound."""
    shares = [0.0, 0.1, 0.5, 0.75, 0.95, 0.99, 1.0]
    found = [policy.quantile(LATENCY_BOUNDS, counts, share) for share in shares]
    if not sum(counts):
        assert found == [None] * len(shares)
        return
    values = [value for value in found if value is not None]
    assert values == sorted(values)
    histogram = Histogram()
    histogram.counts = counts
    for share, value in zip(shares[1:], values[1:], strict=True):
        upper = min(histogram.quantile(share), LATENCY_BOUNDS[-1])
        lower = max((bound for bound in (0.0, *LATENCY_BOUNDS) if bound < upper), default=0.0)
        assert lower <= value <= upper + 1e-12


def test_routes_are_told_by_requests() -> None:
    """The fifty with most requests since the reading before, with their own errors and times."""
    before, now = Totals(), Totals()
    for number in range(60):
        now.counters |= requests(number + 1, route=f"/{number}").counters
    now.counters |= requests(30, status="500", route="/59").counters
    now.histograms[("http_request_duration_seconds", (("method", "GET"), ("route", "/59")))] = buckets(0.2, 0.2)
    found = policy.routes(before, now)
    assert len(found) == policy.ROUTES
    first = policy.told(found[0])
    assert (first.route, first.method, first.requests, first.errors) == ("/59", "GET", 90, 30)
    assert first.p50 is not None
    assert 0.1 < first.p50 < 0.25
    assert policy.told(found[1]).p95 is None
    assert policy.routes(now, now) == []


def test_sums_of_routes_keep_everything() -> None:
    """Whatever version made the buckets."""
    one = Counted("/", "GET", 3, 1, (0.1, 1.0), (1, 2, 0))
    other = Counted("/", "GET", 2, 0, (0.1, 0.5, 1.0), (1, 0, 1, 0))
    none = Counted("/", "GET", 1, 1, (), ())
    [found] = policy.merged([none, one, other])
    assert (found.requests, found.errors, sum(found.counts)) == (6, 2, 5)
    assert len(policy.merged([one, one._replace(method="POST")])) == 2


def test_a_mean_is_by_time() -> None:
    """What was told of a minute weighs four times as much as what was told of a quarter of it."""
    samples = [Sample(60, 60, {"a": 1.0}), Sample(75, 15, {"a": 6.0, "b": 2.0})]
    assert policy.mean(samples) == {"a": 2.0, "b": 2.0}
    assert policy.mean([]) == {}


def test_what_nobody_sampled_is_a_gap() -> None:
    """A sample tells of the time before it, in each bucket that it reaches into."""
    samples = [Sample(20, 10, {"a": 1.0}), Sample(30, 10, {"a": 3.0}), Sample(65, 10, {"b": 1.0})]
    found = policy.spread(samples, ["a", "b"], [0, 15, 30, 45, 60], 15)
    assert found["a"] == [1.0, pytest.approx((1 * 5 + 3 * 10) / 15), None, None, None]
    assert found["b"] == [None, None, None, 1.0, 1.0]


@given(st.integers(0, 10**9), st.integers(1, 10**7), st.integers(1, 500), st.sampled_from([15, 300]))
def test_buckets_are_few_aligned_and_cover_the_time(since: int, span: int, points: int, step: int) -> None:
    """Those of an hour ago stand where they stood: a chart does not tremble."""
    begins, width = policy.buckets(since, since + span, points, step)
    assert 1 <= len(begins) <= max(points, 2)
    assert width % step == 0
    assert all(begin % width == 0 for begin in begins)
    assert begins[0] <= since
    assert begins[-1] + width >= since + span
