"""What two readings of the figures come to, and what becomes of points that are looked at from afar. Pure."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from ..metrics.policy import Buckets, Totals, both, less
from .interface import Route

ROUTES: Final = 50
"""So many are kept of each sample: those with most requests."""

Points: TypeAlias = Mapping[str, float]

_REQUESTS = "http_requests_total"
_RESPONSES = "http_request_duration_seconds"
_QUERIES = ("db_query_seconds", "db_pool_hold_seconds")
_PAGES = "page_load_seconds"
_JOBS = "jobs_processed_total"
_FAILED = frozenset({"retrying", "failed", "dead", "lost"})
_RATES = {
    "requests_per_second": _REQUESTS,
    "jobs_per_second": _JOBS,
    "sessions_per_second": "sessions_saved_total",
    "log_errors_per_second": "errors_seen_total",
}
_HITS = ("cache_hits_total", "cache_stale_total")
_MISSES = "cache_misses_total"
_COUNTED = frozenset({*_RATES.values(), *_HITS, _MISSES})
_MEASURED = frozenset({_RESPONSES, *_QUERIES, _PAGES})
_MEMORY, _DEPTH, _OUTBOX = "process_resident_memory_bytes", "jobs_queue_depth", "outbox_waiting"
_CAPACITY, _IN_USE = "db_pool_capacity", "db_pool_in_use"
_GAUGED = frozenset({_MEMORY, _DEPTH, _OUTBOX, _CAPACITY, _IN_USE})


@dataclass(frozen=True, slots=True)
class Sample:
    """What was found at ``at_us``, of the ``span_us`` microseconds before."""

    at_us: int
    span_us: int
    points: Points


class Counted(NamedTuple):
    """Requests to a route in some time: ``errors`` are answers of 500 and above."""

    route: str
    method: str
    requests: int
    errors: int
    bounds: tuple[float, ...]
    counts: tuple[int, ...]


def relevant(totals: Totals) -> Totals:
    """What any series is made of, and nothing else: an application may have thousands of its own."""
    return Totals(
        {series: number for series, number in totals.counters.items() if series[0] in _COUNTED},
        {series: buckets for series, buckets in totals.histograms.items() if series[0] in _MEASURED},
        {series: value for series, value in totals.gauges.items() if series[0] in _GAUGED},
    )


def fell(before: Totals, now: Totals) -> bool:
    """Whether something that only grows is less than it was: the store was emptied, or everything began anew."""
    return any(_sum(now, name) < _sum(before, name) for name in _COUNTED)


def gauged(now: Totals) -> dict[str, float]:
    """The points that are about now."""
    found = {}
    for name, gauge, state in (
        ("memory_bytes", _MEMORY, None),
        ("jobs_waiting", _DEPTH, "queued"),
        ("outbox_waiting", _OUTBOX, None),
    ):
        values = _gauges(now, gauge, state)
        if values:
            found[name] = sum(values)
    capacity = sum(_gauges(now, _CAPACITY))
    if capacity > 0:
        found["pool_in_use_share"] = sum(_gauges(now, _IN_USE)) / capacity
    return found


def derived(before: Totals, now: Totals, seconds: float) -> dict[str, float]:
    """The points that two readings ``seconds`` apart tell together; what they cannot tell is left out."""
    since = less(now, before)
    found = {name: _sum(since, counter) / seconds for name, counter in _RATES.items() if _has(now, counter)}
    if _has(now, _JOBS):
        failed = _sum(since, _JOBS, lambda labels: labels.get("outcome") in _FAILED)
        found["job_failures_per_second"] = failed / seconds
    requests = _sum(since, _REQUESTS)
    if requests:
        found["error_share"] = _sum(since, _REQUESTS, _is_error) / requests
    hits = sum(_sum(since, name) for name in _HITS)
    reads = hits + _sum(since, _MISSES)
    if reads:
        found["cache_hit_share"] = hits / reads
    responses = _together(since, _RESPONSES)
    queries = next((name for name in _QUERIES if any(name == known for known, _ in now.histograms)), "")
    used = _together(since, queries)
    if used is not None:
        found["queries_per_second"] = sum(used.counts) / seconds
    for name, buckets, share in (
        ("response_p50", responses, 0.5),
        ("response_p95", responses, 0.95),
        ("response_p99", responses, 0.99),
        ("query_p95", used, 0.95),
        ("page_load_p75", _together(since, _PAGES), 0.75),
    ):
        value = None if buckets is None else quantile(buckets.bounds, buckets.counts, share)
        if value is not None:
            found[name] = value
    return found


def routes(before: Totals, now: Totals) -> list[Counted]:
    """What each route was asked since ``before``; those with most requests, at most 50."""
    since = less(now, before)
    requests: dict[tuple[str, str], list[int]] = {}
    for (name, labels), number in since.counters.items():
        if name == _REQUESTS and number:
            told = dict(labels)
            counted = requests.setdefault((told.get("route", ""), told.get("method", "")), [0, 0])
            counted[0] += number
            counted[1] += number * _is_error(told)
    taken: dict[tuple[str, str], Buckets] = {}
    for (name, labels), buckets in since.histograms.items():
        if name == _RESPONSES:
            told = dict(labels)
            key = told.get("route", ""), told.get("method", "")
            known = taken.get(key)
            taken[key] = buckets if known is None else both(known, buckets)
    found = [
        Counted(*key, number, errors, buckets.bounds if buckets else (), buckets.counts if buckets else ())
        for key, (number, errors) in requests.items()
        for buckets in [taken.get(key)]
    ]
    return most(found)


def most(found: Iterable[Counted]) -> list[Counted]:
    """Those with most requests, at most 50."""
    return sorted(found, key=lambda one: (-one.requests, one.route, one.method))[:ROUTES]


def merged(parts: Iterable[Counted]) -> list[Counted]:
    """The sums by route and method."""
    sums: dict[tuple[str, str], Counted] = {}
    for one in parts:
        key = one[:2]
        known = sums.get(key)
        sums[key] = one if known is None else _both(known, one)
    return list(sums.values())


def told(one: Counted) -> Route:
    """What is told of a route."""
    p50, p95, p99 = (quantile(one.bounds, one.counts, share) for share in (0.5, 0.95, 0.99))
    return Route(one.route, one.method, one.requests, one.errors, p50, p95, p99)


def quantile(bounds: Sequence[float], counts: Sequence[int], share: float) -> float | None:
    """The value that ``share`` of the values do not exceed, as if each bucket were filled evenly.

    As Prometheus' ``histogram_quantile``: of what is beyond the last bound it tells that bound.
    """
    total = sum(counts)
    if not total or not bounds:
        return None
    rank, seen, lower = share * total, 0, 0.0
    for bound, number in zip(bounds, counts, strict=False):
        if number and seen + number >= rank:
            return lower + (bound - lower) * max(0.0, rank - seen) / number
        seen, lower = seen + number, bound
    return bounds[-1]


def mean(samples: Sequence[Sample]) -> dict[str, float]:
    """The mean of each point, by the time of which it tells."""
    sums: dict[str, tuple[float, float]] = {}
    for sample in samples:
        for name, value in sample.points.items():
            total, weight = sums.get(name, (0.0, 0.0))
            sums[name] = total + value * sample.span_us, weight + sample.span_us
    return {name: total / weight for name, (total, weight) in sums.items() if weight}


def spread(
    samples: Iterable[Sample], names: Iterable[str], begins: Sequence[int], width_us: int
) -> dict[str, list[float | None]]:
    """The mean of each series in each bucket of ``width_us``; ``None`` where nobody sampled, or could tell.

    A sample tells of its whole span: each bucket takes the part of it that it covers.
    """
    wanted = tuple(names)
    sums: dict[str, list[float]] = {name: [0.0] * len(begins) for name in wanted}
    weights: dict[str, list[float]] = {name: [0.0] * len(begins) for name in wanted}
    for sample in samples:
        parts = list(_overlaps(sample, begins, width_us))
        for name in wanted:
            value = sample.points.get(name)
            if value is not None:
                for place, part in parts:
                    sums[name][place] += value * part
                    weights[name][place] += part
    return {
        name: [total / weight if weight else None for total, weight in zip(sums[name], weights[name], strict=True)]
        for name in wanted
    }


def buckets(since_us: int, until_us: int, points: int, step_us: int) -> tuple[list[int], int]:
    """Where the buckets begin, and how wide they are: at most ``points``, a multiple of ``step_us``, aligned to it."""
    span = max(1, until_us - since_us)
    width = step_us * max(1, math.ceil(span / (points * step_us)))
    # One more than fits where neither end is aligned.
    while len(begins := list(range(since_us - since_us % width, until_us, width))) > points > 1:
        width += step_us
    return begins, width


def _overlaps(sample: Sample, begins: Sequence[int], width_us: int) -> Iterable[tuple[int, int]]:
    if not begins:
        return
    begin, end = sample.at_us - sample.span_us, sample.at_us
    first = max(0, (begin - begins[0]) // width_us)
    for place in range(first, len(begins)):
        part = min(end, begins[place] + width_us) - max(begin, begins[place])
        if part <= 0:
            return
        yield place, part


def _both(one: Counted, other: Counted) -> Counted:
    requests, errors = one.requests + other.requests, one.errors + other.errors
    # Nearly always the same: a week has a hundred thousand of them.
    if one.bounds == other.bounds:
        counts = tuple(map(operator.add, one.counts, other.counts))
        return Counted(one.route, one.method, requests, errors, one.bounds, counts)
    if not one.bounds or not other.bounds:
        given = one if one.bounds else other
        return Counted(one.route, one.method, requests, errors, given.bounds, given.counts)
    added = both(Buckets(one.bounds, one.counts, 0), Buckets(other.bounds, other.counts, 0))
    return Counted(one.route, one.method, requests, errors, added.bounds, added.counts)


def _is_error(labels: Mapping[str, str]) -> bool:
    return labels.get("status", "").startswith("5")


def _has(totals: Totals, counter: str) -> bool:
    return any(name == counter for name, _ in totals.counters)


def _sum(totals: Totals, counter: str, which: Callable[[dict[str, str]], bool] | None = None) -> int:
    return sum(
        number
        for (name, labels), number in totals.counters.items()
        if name == counter and (which is None or which(dict(labels)))
    )


def _gauges(totals: Totals, gauge: str, state: str | None = None) -> list[float]:
    return [
        value
        for (name, labels), value in totals.gauges.items()
        if name == gauge and (state is None or dict(labels).get("state") == state)
    ]


def _together(totals: Totals, histogram: str) -> Buckets | None:
    found: Buckets | None = None
    for (name, _), one in totals.histograms.items():
        if name == histogram:
            found = one if found is None else both(found, one)
    return found
