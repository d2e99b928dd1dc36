"""The cache: how often it answers, what that saves, and whether its stores are there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ....stores.interface import SupportsPeek
from ..interface import Ask, Page, Shown
from ..reading_figures import Figures, figures
from ..reading_series import Drawn, charts_of

_CHART = Drawn("hits", "Reads that the cache answered", [("cache_hit_share", "of all reads", "")])


@dataclass(frozen=True, slots=True)
class Namespace:
    """One namespace in all processes since they began; ``share`` of reads that found a value, rates each second.

    ``spared``: misses that computed nothing, since another computed the same or only a look was meant.
    ``computing`` and ``saved`` in seconds; ``size`` in bytes stored.
    """

    name: str
    reads: int
    rate: float | None
    share: float | None
    stale: int
    misses: int
    computes: int
    spared: int
    alone: int
    errors: int
    unreadable: int
    size: int
    computing: float
    saved: float


@dataclass(frozen=True, slots=True)
class Server:
    """A kind of store, and what its server suffered; ``away``: it is known not to answer, so that calls fail at once.

    ``rooms``: what is kept in it.
    """

    adapter: str
    rooms: tuple[str, ...]
    away: bool
    failures: int
    refused: int
    outages: int
    feed_lost: int


SORTS: dict[str, Any] = {
    "name": lambda one: one.name,
    "reads": lambda one: one.reads,
    "share": lambda one: one.share,
    "misses": lambda one: one.misses,
    "computing": lambda one: one.computing,
    "saved": lambda one: one.saved,
    "size": lambda one: one.size,
    "errors": lambda one: one.errors,
}


def view(ask: Ask) -> Shown:
    """Namespaces, stores and checks."""
    told = figures(ask.stack, ask.clock.monotonic)
    namespaces = [_namespace(told, name) for name in told.values("cache_hits_total", "namespace")]
    settings = ask.stack.settings
    return Shown(
        "cache.html",
        {
            "charts": charts_of(ask, _CHART),
            "window": ask.window,
            "everybody": told.everybody,
            "together": _namespace(told),
            "namespaces": ask.sorted(namespaces, SORTS, "-reads"),
            "servers": _servers(ask.stack.settings, told),
            "checks": ask.part("the checks", lambda: ask.stack.observability.checks.report().checks),
            "near": isinstance(ask.stack.cache.store, SupportsPeek),
            "unavailable": settings.cache.unavailable,
            "queries": settings.cache.queries,
            "blind": told.total("cache_blind_writes_total"),
        },
    )


def _namespace(told: Figures, name: str | None = None) -> Namespace:
    of = {} if name is None else {"namespace": name}

    def total(what: str) -> int:
        return told.total(f"cache_{what}_total", **of)

    hits, stale, misses, computes = total("hits"), total("stale"), total("misses"), total("computes")
    rates = [told.rate(f"cache_{what}_total", **of) for what in ("hits", "stale", "misses")]
    reads = hits + stale + misses
    return Namespace(
        name=name or "",
        reads=reads,
        rate=None if told.seconds is None else sum(rate or 0.0 for rate in rates),
        share=(hits + stale) / reads if reads else None,
        stale=stale,
        misses=misses,
        computes=computes,
        spared=max(0, misses - computes),
        alone=total("alone"),
        errors=total("errors"),
        unreadable=total("unreadable"),
        size=total("stored_bytes"),
        computing=total("compute_microseconds") / 1e6,
        saved=total("saved_microseconds") / 1e6,
    )


def _servers(settings: Any, told: Figures) -> list[Server]:
    rooms: dict[str, list[str]] = {}
    for name in ("cache", "sessions", "limits", "observability"):
        # The scheme alone: what follows may hold a password.
        scheme = settings.store_url(getattr(settings, name)).partition(":")[0].partition("+")[0]
        rooms.setdefault("redis" if scheme == "rediss" else scheme, []).append(name)
    away = told.gauges("stores_breaker_open", "adapter")

    def total(what: str, adapter: str) -> int:
        return told.total(f"stores_{what}_total", adapter=adapter)

    return [
        Server(
            adapter,
            tuple(rooms.get(adapter, ())),
            bool(away.get(adapter)),
            *(total(what, adapter) for what in ("failures", "refused", "opened", "feed_lost")),
        )
        for adapter in sorted(rooms.keys() | away.keys())
    ]


PAGE = Page("cache", "Cache", "Backends", view, key="c")
