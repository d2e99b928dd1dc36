"""What a series is, and what is told of a route."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Unit: TypeAlias = Literal["s", "bytes", "share", "per second", "count"]


@dataclass(frozen=True, slots=True)
class Series:
    """A figure over time. ``unit``: seconds, bytes, a share (0 to 1), a rate, or a number.

    ``good`` and ``bad``: up to where it is well, and from where it is not; ``None`` where that depends on the
    application. Where more is better ``good`` is the greater.
    """

    title: str
    unit: Unit
    good: float | None = None
    bad: float | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """What requests to a route came to: ``errors`` are answers of 500 and above; ``p50`` and the like in seconds.

    A quantile is ``None`` where there is nothing to tell it from.
    """

    route: str
    method: str
    requests: int
    errors: int
    p50: float | None
    p95: float | None
    p99: float | None
