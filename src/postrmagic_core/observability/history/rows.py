"""SQL of the history: packed points by step and instant."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from sqlalchemy import bindparam, delete, func, insert, select

from ... import _codec
from ...errors import DecodeError
from ..tables import history
from .policy import Counted, Points, Sample

c = history.c

STEP: Final = 15
"""Seconds of a sample."""
SLOT: Final = 300
"""Seconds of a mean."""

_FORMAT = 1
_GONE = delete(history).where(c.step == bindparam("gone_step"), c.at_us == bindparam("gone_at"))


def put(tx: Any, step: int, sample: Sample, routes: Sequence[Counted]) -> None:
    """Write down a sample; :class:`UniqueViolation` where there is one of that instant."""
    points = _codec.encode([_FORMAT, sample.span_us, dict(sample.points)])
    tx.execute(insert(history).values(step=step, at_us=sample.at_us, points=points, routes=_packed(routes)))


def between(tx: Any, step: int, after_us: int, until_us: int) -> Iterator[Sample]:
    """The samples after one instant until another, the oldest first; what another version wrote is left out."""
    wanted = select(c.at_us, c.points).where(c.step == step, c.at_us > after_us, c.at_us <= until_us)
    for at_us, points in tx.execute(wanted.order_by(c.at_us)):
        found = _sample(at_us, points)
        if found is not None:
            yield found


def routes(tx: Any, step: int, after_us: int, until_us: int) -> Iterator[Counted]:
    """What is known of routes after one instant until another."""
    wanted = select(c.routes).where(c.step == step, c.at_us > after_us, c.at_us <= until_us).order_by(c.at_us)
    for packed in tx.scalars(wanted):
        yield from _unpacked(packed)


def newest(tx: Any, step: int, until_us: int) -> int | None:
    """When the last one until an instant was; a clock that was ahead may have left later ones."""
    found: int | None = tx.scalar(select(func.max(c.at_us)).where(c.step == step, c.at_us <= until_us))
    return found


def first(tx: Any, step: int, after_us: int) -> int | None:
    """When the first one after an instant was."""
    found: int | None = tx.scalar(select(func.min(c.at_us)).where(c.step == step, c.at_us > after_us))
    return found


def old(tx: Any, step: int, until_us: int, limit: int) -> list[int]:
    """Some that were no later than an instant."""
    wanted = select(c.at_us).where(c.step == step, c.at_us <= until_us).order_by(c.at_us).limit(limit)
    return list(tx.scalars(wanted))


def drop(tx: Any, step: int, which: Sequence[int]) -> None:
    """Forget these: each by its key, so that nothing but it is locked."""
    tx.execute(_GONE, [{"gone_step": step, "gone_at": at_us} for at_us in which])


def _sample(at_us: int, packed: bytes) -> Sample | None:
    try:
        form, span_us, points = _codec.decode(bytes(packed))
    except (DecodeError, TypeError, ValueError):
        return None
    return Sample(at_us, span_us, _points(points)) if form == _FORMAT and isinstance(span_us, int) else None


def _points(found: Any) -> Points:
    return {str(name): float(value) for name, value in found.items()} if isinstance(found, dict) else {}


def _packed(found: Iterable[Counted]) -> bytes:
    # Nearly all have the same bounds: told once.
    ordered = sorted(found, key=lambda one: one.bounds)
    grouped = [
        [list(bounds), [[one.route, one.method, one.requests, one.errors, list(one.counts)] for one in those]]
        for bounds, those in groupby(ordered, key=lambda one: one.bounds)
    ]
    return zlib.compress(_codec.encode([_FORMAT, grouped]), 1) if grouped else b""


def _unpacked(packed: bytes) -> Iterator[Counted]:
    if not packed:
        return
    try:
        form, grouped = _codec.decode(zlib.decompress(bytes(packed)))
        if form != _FORMAT:
            return
        found = [
            Counted(route, method, requests, errors, tuple(bounds), tuple(counts))
            for bounds, those in grouped
            for route, method, requests, errors, counts in those
        ]
    except (DecodeError, zlib.error, TypeError, ValueError):
        return
    yield from found
