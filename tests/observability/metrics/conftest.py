"""Hubs on stores of each kind, and what they tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from postrmagic_core._metrics import Metrics
from postrmagic_core.observability.metrics import MetricsHub, figures
from postrmagic_core.stores import Store
from tests.observability.metrics.told import values


class Process:
    """What one process has: figures of its own, and a hub. Several of them share a store here."""

    def __init__(self, store: Store, stack: ExitStack, **options: Any) -> None:
        self.metrics = Metrics()
        self.jobs = self.metrics.counter("shop_orders_total")
        # Each publishes when the test says so: its thread would only get in between.
        told: dict[str, Any] = {"namespace": "app", "service": "shop", "every": 60.0}
        self.hub = MetricsHub(self.metrics, store, **(told | options))
        self.hub._reader._process = figures.Process()
        stack.callback(self.hub.close)

    def open(self) -> Process:
        """And publish."""
        self.hub.open()
        assert self.hub.publish()
        return self

    def told(self) -> dict[str, float]:
        """What ``/metrics`` tells here, by series."""
        return values(self.hub.render().body)

    @property
    def orders(self) -> float:
        """The sum of all processes' orders, as told here."""
        return self.told().get("postrmagic_shop_orders_total", 0)


@pytest.fixture
def make(store: Store) -> Iterator[Callable[..., Process]]:
    """A factory: ``make(release="2")`` is another process on the store, not opened."""
    with ExitStack() as stack:
        yield lambda **options: Process(store, stack, **options)
