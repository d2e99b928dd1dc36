"""What becomes of figures: added up, taken away, packed. Whole numbers throughout, so that no order changes a sum.

A sum of fractions depends on the order in which they are added. One that is smaller by its last bit, because a process
ended, would be a counter that went back: Prometheus takes that for a restart and counts everything again.
"""

from __future__ import annotations

import operator
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from ... import _codec
from ..._metrics import Labels
from ...errors import DecodeError
from .catalogue import merge_of

MOST_PROCESSES = 1_000
MOST_SERIES = 10_000
"""Of one process."""
MOST_RETIRED = 50_000
"""Of all that ended together."""
SILENT_FOR = 15.0
"""Seconds of silence after which a process is taken for dead, at least."""
SILENT_TIMES = 3
"""So many publications missed, at least."""

COST = "process_cpu_microseconds_total"
"""In what one of a process's tellers tells: who tells of the process itself."""

_OF_PROCESS = frozenset({COST, "gc_collections_total", "gc_collected_total", "gc_uncollectable_total"})
_FORMAT = 1
_LARGEST = 64 * 1024 * 1024
_NANO = 1_000_000_000

Series: TypeAlias = tuple[str, Labels]


class Buckets(NamedTuple):
    """A histogram at one moment: ``nanos``, the sum of the values in units of 1e-9."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    nanos: int

    @property
    def sum(self) -> float:
        """The sum of the values."""
        return self.nanos / _NANO


def nanos(value: float) -> int:
    """``value`` in units of 1e-9."""
    return round(value * _NANO)


@dataclass(slots=True)
class Totals:
    """Figures by series, of one process or of several."""

    counters: dict[Series, int] = field(default_factory=dict)
    histograms: dict[Series, Buckets] = field(default_factory=dict)
    gauges: dict[Series, float] = field(default_factory=dict)

    @property
    def series(self) -> int:
        """How many there are."""
        return len(self.counters) + len(self.histograms) + len(self.gauges)

    def counted(self) -> Totals:
        """The same without gauges, which are about now."""
        return Totals(self.counters, self.histograms)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a process tells: its ``kind`` (``web``, ``worker``, …), ``release``, ``version`` of this package.

    ``every``: seconds after which it tells again.
    """

    kind: str
    release: str
    version: str
    every: float
    totals: Totals

    @property
    def of_process(self) -> bool:
        """Whether it tells of the process itself, and not only of what somebody counts in it."""
        return any(name == COST for name, _ in self.totals.counters)


def silence(every: float) -> float:
    """Seconds after which a process that publishes each ``every`` seconds is taken for dead."""
    return max(SILENT_FOR, SILENT_TIMES * every)


def added(parts: Iterable[Totals]) -> Totals:
    """The sum of counters and histograms, and of gauges what the catalogue says."""
    found = Totals()
    for part in parts:
        for series, number in part.counters.items():
            found.counters[series] = found.counters.get(series, 0) + number
        for series, buckets in part.histograms.items():
            known = found.histograms.get(series)
            found.histograms[series] = buckets if known is None else both(known, buckets)
        for series, value in part.gauges.items():
            put_gauge(found, series, value)
    return found


def put_gauge(totals: Totals, series: Series, value: float) -> None:
    """Note another value of a gauge."""
    known = totals.gauges.get(series)
    totals.gauges[series] = value if known is None else _MERGES[merge_of(series[0])](known, value)


_MERGES: Mapping[str, Callable[[float, float], float]] = {"sum": operator.add, "max": max, "min": min}


def both(one: Buckets, other: Buckets) -> Buckets:
    """Their values in one, in the buckets of ``one``."""
    other = _rebinned(other, one.bounds)
    counts = tuple(a + b for a, b in zip(one.counts, other.counts, strict=True))
    return Buckets(one.bounds, counts, one.nanos + other.nanos)


def _rebinned(buckets: Buckets, bounds: tuple[float, ...]) -> Buckets:
    """The same values in the buckets of another version: each goes where its former bound does, no lower than it is."""
    if buckets.bounds == bounds:
        return buckets
    counts = [0] * (len(bounds) + 1)
    for place, number in enumerate(buckets.counts):
        upper = buckets.bounds[place] if place < len(buckets.bounds) else float("inf")
        counts[sum(bound < upper for bound in bounds)] += number
    return Buckets(bounds, tuple(counts), buckets.nanos)


def less(totals: Totals, base: Totals) -> Totals:
    """What was counted since ``base`` was told; gauges as they are."""
    if not base.counters and not base.histograms:
        return totals
    counters = {series: max(0, number - base.counters.get(series, 0)) for series, number in totals.counters.items()}
    histograms = {series: _since(buckets, base.histograms.get(series)) for series, buckets in totals.histograms.items()}
    return Totals(counters, histograms, totals.gauges)


def split(totals: Totals) -> tuple[dict[Series, int], Totals]:
    """What a process itself costs, and all else that is counted."""
    of_process = {series: number for series, number in totals.counters.items() if series[0] in _OF_PROCESS}
    others = {series: number for series, number in totals.counters.items() if series not in of_process}
    return of_process, Totals(others, totals.histograms)


def _since(buckets: Buckets, base: Buckets | None) -> Buckets:
    if base is None or base.bounds != buckets.bounds:
        return buckets
    counts = tuple(max(0, a - b) for a, b in zip(buckets.counts, base.counts, strict=True))
    return Buckets(buckets.bounds, counts, max(0, buckets.nanos - base.nanos))


def retired(before: Totals, ended: Snapshot, *, lost: bool) -> tuple[Totals, int]:
    """What those that ended have counted with ``ended`` among them, and how many series there is no room for."""
    told: Series = ("processes_lost_total" if lost else "processes_ended_total", (("kind", ended.kind),))
    found = added([before, ended.totals.counted(), Totals({told: 1} if ended.of_process else {})])
    kept = dict(list(found.counters.items())[:MOST_RETIRED])
    buckets = dict(list(found.histograms.items())[: MOST_RETIRED - len(kept)])
    return Totals(kept, buckets), found.series - len(kept) - len(buckets)


def packed(snapshot: Snapshot) -> bytes:
    """As it is stored; label values have to be text that can be encoded."""
    totals = snapshot.totals
    told = [
        _FORMAT,
        [snapshot.kind, snapshot.release, snapshot.version, snapshot.every],
        [[name, _flat(labels), number] for (name, labels), number in totals.counters.items()],
        [
            [name, _flat(labels), list(buckets.bounds), list(buckets.counts), buckets.nanos]
            for (name, labels), buckets in totals.histograms.items()
        ],
        [[name, _flat(labels), value] for (name, labels), value in totals.gauges.items()],
    ]
    return zlib.compress(_codec.encode(told), 1)


def unpacked(data: bytes) -> Snapshot:
    """What :func:`packed` was given; :class:`DecodeError` for anything else, and for what another version wrote."""
    try:
        unzip = zlib.decompressobj()
        raw = unzip.decompress(data, _LARGEST)
        if not unzip.eof:
            raise DecodeError("published figures are cut off, or too large")
        found = _codec.decode(raw)
        if not isinstance(found, list) or found[0] != _FORMAT:
            raise DecodeError("figures of another version")
        _, (kind, release, version, every), counters, histograms, gauges = found
        totals = Totals(
            {(str(name), _paired(labels)): int(number) for name, labels, number in counters},
            {(str(name), _paired(labels)): _buckets(*rest) for name, labels, *rest in histograms},
            {(str(name), _paired(labels)): float(value) for name, labels, value in gauges},
        )
        return Snapshot(str(kind), str(release), str(version), float(every), totals)
    except (zlib.error, TypeError, ValueError, IndexError, OverflowError) as error:
        raise DecodeError("published figures that are not what this package wrote") from error


def _flat(labels: Labels) -> list[str]:
    return [text for pair in labels for text in pair]


def _paired(flat: Any) -> Labels:
    texts = [str(text) for text in flat]
    return tuple(zip(texts[::2], texts[1::2], strict=True))


def _buckets(bounds: Any, counts: Any, total: Any) -> Buckets:
    found = Buckets(tuple(map(float, bounds)), tuple(map(int, counts)), int(total))
    if len(found.counts) != len(found.bounds) + 1:
        raise ValueError("a histogram has one bucket more than bounds")
    return found


def texts(labels: Mapping[str, str] | Labels) -> Labels:
    """``labels`` as text that can be encoded: a lone surrogate becomes a question mark."""
    pairs = labels.items() if isinstance(labels, Mapping) else labels
    return tuple((text(name), text(value)) for name, value in pairs)


def text(value: object) -> str:
    """``value`` as text that can be encoded, whatever it is: one that has no text is told by its type."""
    try:
        return str(value).encode("utf-8", "replace").decode()
    except Exception:
        return f"<{type(value).__name__}>"
