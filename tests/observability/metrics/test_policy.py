"""Sums of figures: exact whatever the order, between versions too, packed and read again."""

from __future__ import annotations

import math
import zlib
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core import _codec
from postrmagic_core._metrics import Histogram, Metrics
from postrmagic_core.errors import DecodeError
from postrmagic_core.observability.metrics import policy
from postrmagic_core.observability.metrics.exposition import exposed
from postrmagic_core.observability.metrics.policy import Buckets, Snapshot, Totals, added, less, packed, unpacked
from postrmagic_core.observability.metrics.reading import Reader
from tests.observability.metrics.told import values

TEXTS = st.text(max_size=5)
LABELS = st.dictionaries(st.sampled_from(["queue", "pool", "route"]), TEXTS, max_size=2).map(
    lambda found: policy.texts(tuple(sorted(found.items())))
)
SERIES = st.tuples(st.sampled_from(["a_total", "b_seconds", "process_max_fds"]), LABELS)
BOUNDS = (0.1, 1.0)
BUCKETS = st.builds(Buckets, st.just(BOUNDS), st.tuples(*[st.integers(0, 2**40)] * 3), st.integers(0, 10**18))
TOTALS = st.builds(
    Totals,
    st.dictionaries(SERIES, st.integers(0, 2**70), max_size=3),
    st.dictionaries(SERIES, BUCKETS, max_size=2),
    st.dictionaries(SERIES, st.floats(-1e6, 1e6).map(float), max_size=2),
)


@given(st.lists(TOTALS, min_size=1, max_size=3))
def test_the_order_of_a_sum_does_not_matter(parts: list[Totals]) -> None:
    """To the last bit, and whatever was added up before: a process that ends takes nothing along."""
    everything = added(parts).counted()
    assert all(added(order).counted() == everything for order in permutations(parts))
    assert added([added(parts[:1]), *parts[1:]]).counted() == everything
    assert less(everything, added(parts[1:])).counters == {
        series: parts[0].counters.get(series, 0) for series in everything.counters
    }


@given(TOTALS, TEXTS)
def test_a_snapshot_is_read_as_it_was_packed(totals: Totals, text: str) -> None:
    """Kind, release, version and every figure."""
    release = text.encode("utf-8", "replace").decode()
    snapshot = Snapshot("web", release, "1.0", 5.0, totals)
    assert unpacked(packed(snapshot)) == snapshot


PLAIN = st.recursive(st.integers() | st.text(max_size=3) | st.floats(), st.lists, max_leaves=5)
FORGED = st.tuples(PLAIN, PLAIN, PLAIN, PLAIN).map(lambda told: zlib.compress(_codec.encode([1, *told])))


@given(st.binary(max_size=50) | FORGED)
def test_what_we_did_not_write_is_refused(data: bytes) -> None:
    """By one error, whatever it is; what has our form is read."""
    try:
        found = unpacked(data)
    except DecodeError:
        return
    assert unpacked(packed(found)).totals.series == found.totals.series


def test_what_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few bytes may say a gigabyte: no more of it is unpacked than a snapshot has."""
    monkeypatch.setattr(policy, "_LARGEST", 1_000_000)
    with pytest.raises(DecodeError, match="too large"):
        unpacked(zlib.compress(b"\0" * 2_000_000))


def test_buckets_of_another_version_move_up() -> None:
    """Each value goes where the end of its bucket does: no quantile becomes smaller, and none is lost."""
    one = Buckets((0.1, 1.0), (1, 1, 1), 0)
    other = Buckets((0.05, 0.5, 2.0), (1, 10, 100, 1000), 0)
    both = added([Totals(histograms={("h", ()): one}), Totals(histograms={("h", ()): other})]).histograms["h", ()]
    assert both == Buckets((0.1, 1.0), (2, 11, 1101), 0)


def test_gauges_become_one_as_the_catalogue_says() -> None:
    """Added up, the greatest, the least."""
    parts = [
        Totals(gauges={(name, ()): float(value) for name in ("log_backlog", "process_max_fds", "outbox_waiting")})
        for value in (3, 5)
    ]
    assert added(parts).gauges == {("log_backlog", ()): 8, ("process_max_fds", ()): 3, ("outbox_waiting", ()): 5}


def test_there_is_a_bound_for_the_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was there first stays; what does not fit is counted. Nor did a process end whose other teller goes on."""
    monkeypatch.setattr(policy, "MOST_RETIRED", 3)
    first = Totals({("a_total", ()): 1, ("b_total", ()): 1})
    more = Totals({("a_total", ()): 1, ("c_total", ()): 1, ("d_total", ()): 1})
    found, dropped = policy.retired(first, Snapshot("web", "", "", 5.0, more), lost=True)
    assert (found.counters, dropped) == ({("a_total", ()): 2, ("b_total", ()): 1, ("c_total", ()): 1}, 1)


def test_names_that_prometheus_refuses_spoil_nothing() -> None:
    """They are left out; hostile values of labels are told as they are, escaped."""
    metrics = Metrics()
    for name in ("shop-orders", "1st", "ü_total", "", "a b"):
        metrics.counter(name).add()
        metrics.gauge(name, lambda: 1)
    metrics.counter("shop_visits_total", page='"} 1\nfake_metric 2\\\ud800').add(3)
    metrics.counter("shop_labels_total", **{"a-b": "1"}).add()
    metrics.gauge("shop_visits_total", lambda: 99)
    told = values(exposed(Reader(metrics).read("web")).body)
    ours = {series: value for series, value in told.items() if "process_" not in series and "gc_" not in series}
    assert ours.pop("postrmagic_metrics_series_dropped_total") == 0
    assert ours == {'postrmagic_shop_visits_total{page=""} 1\nfake_metric 2\\?"}': 3}


def test_a_histogram_read_while_others_observe_is_whole() -> None:
    """Its buckets hold what its sum does."""
    metrics = Metrics()
    histogram: Histogram = metrics.histogram("shop_seconds")
    histogram.observe(0.1)
    histogram.observe(0.2)
    told = values(exposed(Reader(metrics).read("web")).body)
    assert told["postrmagic_shop_seconds_sum"] == 0.3
    assert told["postrmagic_shop_seconds_count"] == told['postrmagic_shop_seconds_bucket{le="+Inf"}'] == 2


class Textless:
    """It has no text."""

    def __str__(self) -> str:
        raise OSError


def test_labels_that_are_no_text_are_told_as_text() -> None:
    """A status as a number is its text's series, what has no text is told by its type; nothing spoils the rest."""
    metrics, hostile = Metrics(), Textless()
    makes: Any = metrics
    for status in (200, "200", True):
        makes.counter("shop_answers_total", status=status).add(2)
        makes.histogram("shop_seconds", status=status).observe(0.5)
    makes.gauge("shop_shard", lambda: 1, shard=3, of=hostile)
    makes.counter("shop_\ud800_total").add()
    makes.report(lambda: [("shop_orders", {}, 1), ("shop_orders", {}, "many")])
    totals = unpacked(packed(Snapshot("web", "", "", 5.0, Reader(metrics).read("web")))).totals
    told = {series: value for series, value in values(exposed(totals).body).items() if "_shop_" in series}
    assert {series: value for series, value in told.items() if "bucket" not in series} == {
        'postrmagic_shop_answers_total{status="200"}': 4,
        'postrmagic_shop_answers_total{status="True"}': 2,
        'postrmagic_shop_seconds_count{status="200"}': 2,
        'postrmagic_shop_seconds_sum{status="200"}': 1,
        'postrmagic_shop_seconds_count{status="True"}': 1,
        'postrmagic_shop_seconds_sum{status="True"}': 0.5,
        'postrmagic_shop_shard{of="<Textless>",shard="3"}': 1,
    }


@pytest.mark.parametrize("amount", [math.inf, math.nan, 1e300, Decimal("nan"), 10**400])
def test_what_is_no_number_any_more_is_left_out(amount: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It is counted and said once, and the others are told; others can read them."""
    metrics = Metrics()
    metrics.counter("shop_weight_total").add(amount)
    metrics.histogram("shop_seconds").sum = math.inf
    metrics.counter("shop_orders_total").add(3)
    reader = Reader(metrics)
    reader.counted()
    found = unpacked(packed(Snapshot("web", "", "", 5.0, reader.counted()))).totals
    assert found.counters == {("shop_orders_total", ()): 3, ("metrics_series_dropped_total", ()): 2}
    assert found.histograms == {}
    assert len(caplog.records) == 2
