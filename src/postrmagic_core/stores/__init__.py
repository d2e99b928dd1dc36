"""Stores: one small key-value adapter serves cache, sessions, rate limits and leases."""

from __future__ import annotations

from postrmagic_core._clock import Clock
from postrmagic_core._metrics import Metrics
from postrmagic_core.registry import STORES, Registry

from .aio import AsyncStoreFace
from .durability import durability_check
from .interface import AsyncStore, Script, Store, SupportsScan, View
from .keys import Keys
from .lease import Lease, acquire, leased

__all__ = [
    "open_store",
    "Store",
    "AsyncStore",
    "AsyncStoreFace",
    "SupportsScan",
    "Script",
    "View",
    "Keys",
    "Lease",
    "acquire",
    "leased",
    "durability_check",
]


def open_store(
    url: str,
    *,
    timeout: float = 0.5,
    clock: Clock | None = None,
    metrics: Metrics | None = None,
    registry: Registry | None = None,
) -> Store:
    """The store behind ``url``: ``memory://``, ``sqlite:///kv.db``, ``mysql://…``, ``redis://…`` or an installed one.

    ``timeout``: seconds one operation may take, everything included. No I/O happens yet. Raises what
    :meth:`Registry.load` raises. Close it when done.
    """
    adapter = (registry or Registry()).load(STORES, url)
    store: Store = adapter.from_url(url, timeout=timeout, clock=clock, metrics=metrics)
    return store
