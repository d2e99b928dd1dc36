"""Real processes, killed at random: no counter ever goes back, and nothing that was published is lost or told twice."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from postrmagic_core._metrics import Metrics
from postrmagic_core.observability.metrics import MetricsHub
from postrmagic_core.stores import open_store
from postrmagic_core.testing import Child, spawn, until
from tests.observability.metrics.processes import count
from tests.observability.metrics.told import kinds, values

EVERY = 0.2
SERIES = ("postrmagic_shop_orders_total", "postrmagic_http_request_duration_seconds_sum")


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("redis", marks=pytest.mark.redis)])
@pytest.mark.parametrize(
    ("seconds", "processes"), [(3.0, 3), pytest.param(40.0, 6, marks=pytest.mark.soak)], ids=["brief", "long"]
)
def test_no_counter_goes_back_whoever_is_killed(
    kind: str, seconds: float, processes: int, url_of: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Children count, publish, render, end in order and are killed; two that watch never see less than before."""
    # Who is silent for a second is dead: a child that was merely slow comes back, and counts on.
    monkeypatch.setattr("postrmagic_core.observability.metrics.hub.silence", lambda every: 1.0)
    url, chance = url_of(kind), random.Random(14)
    with ExitStack() as opened:
        stores = [open_store(url, timeout=10.0) for _ in range(2)]
        for store in stores:
            opened.callback(store.close)
        options: dict[str, Any] = {"namespace": "app", "service": "shop", "every": EVERY}
        watchers = [MetricsHub(Metrics(), store, **options) for store in stores]
        for watcher in watchers:
            opened.enter_context(watcher)
        children: list[Child] = []
        seen: dict[str, float] = {}
        end, number, killed = time.monotonic() + seconds, 0, 0
        while time.monotonic() < end or not killed:
            while len(children) < processes:
                number += 1
                children.append(opened.enter_context(spawn(count, url, EVERY, number)))
                assert children[-1].line() == "counting"
            body = chance.choice(watchers).render().body
            told, families = values(body), kinds(body)
            for series, before in seen.items():
                assert told.get(series, 0) >= before, f"{series} went back"
            monotone = {name for name, family in families.items() if family != "gauge"}
            seen = {
                series: value for series, value in told.items() if any(series.startswith(name) for name in monotone)
            }
            victim = chance.choice(children)
            if chance.random() < 0.3:
                victim.kill()
                killed += 1
            children = [child for child in children if child.alive]
            time.sleep(chance.random() * 0.1)
        for child in children:
            child.kill()
        until(lambda: values(watchers[0].render().body)['postrmagic_processes{kind="web"}'] == 1)
        finally_ = [values(watcher.render().body) for watcher in watchers]
        for series in SERIES:
            assert finally_[0][series] == finally_[1][series] >= seen[series] > 0
        ended = [finally_[0][f'postrmagic_processes_{how}_total{{kind="web"}}'] for how in ("lost", "ended")]
        assert sum(ended) >= number  # who was only slow was lost, and came back
