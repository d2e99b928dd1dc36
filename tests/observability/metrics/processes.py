"""A process that counts, tells and is killed; run by ``spawn``."""

from __future__ import annotations

import random
import threading
import time

from postrmagic_core._metrics import Metrics
from postrmagic_core.observability.metrics import MetricsHub
from postrmagic_core.stores import open_store


def count(url: str, every: float, seed: int) -> None:
    """Count and publish each ``every`` seconds, render now and then, and end in order one day."""
    metrics = Metrics()
    counter, seconds = metrics.counter("shop_orders_total"), metrics.histogram("http_request_duration_seconds")
    chance = random.Random(seed)
    hub = MetricsHub(metrics, open_store(url, timeout=10.0), namespace="app", service="shop", every=every)

    def work() -> None:
        while True:
            counter.add()
            seconds.observe(chance.random())
            time.sleep(0.0005)

    with hub:
        hub.publish()
        threading.Thread(target=work, daemon=True).start()
        print("counting", flush=True)  # noqa: T201 - to who spawned it
        while True:
            time.sleep(0.01 + chance.random() * 0.05)
            if chance.random() < 0.1:
                hub.render()
            if chance.random() < 0.01:
                return
