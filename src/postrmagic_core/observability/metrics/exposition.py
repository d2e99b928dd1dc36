"""Figures as Prometheus reads them, by prometheus-client: its text format 0.0.4, or OpenMetrics 1.0."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from ..._metrics import Labels
from ...errors import MissingExtra
from .catalogue import BY_NAME, UNKNOWN, Kind, in_micros, shown_name
from .policy import Buckets, Totals

if TYPE_CHECKING:
    from prometheus_client.core import Metric

OPENMETRICS = "application/openmetrics-text"
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_SUFFIXES: dict[Kind, tuple[str, ...]] = {
    "counter": ("_total",),
    "histogram": ("_bucket", "_count", "_sum"),
    "gauge": (),
}


class Exposition(NamedTuple):
    """The figures, and their media type."""

    body: bytes
    content_type: str


def exposed(totals: Totals, accept: str = "") -> Exposition:
    """All of ``totals``, by name; in OpenMetrics if ``accept`` names it.

    What Prometheus would not take, a name with other letters for one, is left out. Raises :class:`MissingExtra`
    without prometheus-client.
    """
    try:
        from prometheus_client import CollectorRegistry, exposition
        from prometheus_client.openmetrics import exposition as openmetrics
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "/metrics needs prometheus-client, which is not installed: pip install 'postrmagic-core[metrics]'"
        ) from error
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(totals))
    if OPENMETRICS in accept.lower():
        body: bytes = openmetrics.generate_latest(registry, version="1.0.0")  # type: ignore[no-untyped-call]  # theirs
        return Exposition(body, f"{OPENMETRICS}; version=1.0.0; charset=utf-8")
    return Exposition(exposition.generate_latest(registry), exposition.CONTENT_TYPE_PLAIN_0_0_4)


class _Collector:
    """What a registry of prometheus-client asks."""

    def __init__(self, totals: Totals) -> None:
        self._totals = totals

    def describe(self) -> Iterable[Metric]:
        """Nothing: there is one collector, and no name can be taken twice."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Each name with all its series; of what would be two things by one name, the first."""
        told: set[str] = set()
        kinds: tuple[tuple[Kind, Any], ...] = (
            ("counter", self._totals.counters),
            ("histogram", self._totals.histograms),
            ("gauge", self._totals.gauges),
        )
        for kind, series in kinds:
            by_name: defaultdict[str, list[tuple[Labels, Any]]] = defaultdict(list)
            for (name, labels), value in series.items():
                by_name[name].append((labels, value))
            for name, values in sorted(by_name.items()):
                family = shown_name(name).removesuffix("_total") if kind == "counter" else shown_name(name)
                taken = {family, *(family + suffix for suffix in _SUFFIXES[kind])}
                if _NAME.fullmatch(name) and told.isdisjoint(taken):
                    told |= taken
                    yield _family(kind, name, family, values)


def _family(kind: Kind, name: str, family: str, values: list[tuple[Labels, Any]]) -> Metric:
    from prometheus_client.core import Metric

    described = BY_NAME.get(name)
    found = Metric(family, UNKNOWN if described is None else described.help, kind)
    for labels, value in sorted(values, key=lambda each: each[0]):
        if not all(_NAME.fullmatch(label) and label not in ("le", "quantile") for label, _ in labels):
            continue
        if kind == "histogram":
            _add_buckets(found, family, dict(labels), value)
        elif kind == "counter":
            found.add_sample(f"{family}_total", dict(labels), value / 1e6 if in_micros(name) else value)
        else:
            found.add_sample(family, dict(labels), value)
    return found


def _add_buckets(found: Metric, family: str, labels: dict[str, str], buckets: Buckets) -> None:
    seen = 0
    for bound, number in zip((*buckets.bounds, math.inf), buckets.counts, strict=True):
        seen += number
        found.add_sample(f"{family}_bucket", labels | {"le": "+Inf" if bound == math.inf else str(float(bound))}, seen)
    found.add_sample(f"{family}_count", labels, seen)
    found.add_sample(f"{family}_sum", labels, buckets.sum)
