"""What a rate limit costs on each store beside the popular packages, and how many calls a limit of 10 admits.

A call asks one limit that admits it: in memory, on a SQLite file and on a Redis server of this machine. The 80 callers
are 20 threads in each of four processes, which all begin at once.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from postrmagic_core.limits import Limit, RateLimiter
from postrmagic_core.stores import open_store
from postrmagic_core.testing.servers import MariaDBServer, RedisServer

from . import _limits_peers as peers
from ._harness import Bench, Case
from ._processes import forked

PROCESSES, THREADS, LIMIT = 4, 20, 10
# Nobody may be turned away for another reason than the limit.
_PATIENCE = 20.0
_OURS = "hit()"


def limit_costs(bench: Bench) -> None:
    """``limit_us.<store>``: a call that one limit admits."""
    limit = Limit.parse(f"{peers.AMOUNT}/hour")
    with ExitStack() as opened:
        folder = opened.enter_context(tempfile.TemporaryDirectory())
        server = opened.enter_context(RedisServer())
        url = server.create_database()
        beside = {"memory": peers.in_memory(bench), "sqlite": [], "redis": peers.on_redis(bench, url)}
        urls = {"memory": "memory://", "sqlite": f"sqlite:///{Path(folder) / 'limits.db'}", "redis": url}
        for name, cases in beside.items():
            store = opened.enter_context(closing(open_store(urls[name], timeout=_PATIENCE)))
            limiter = opened.enter_context(RateLimiter(store, unavailable="closed"))
            take = limit.of("benchmark")
            ours = Case(_OURS, partial(limiter.hit, take))
            batch = 200 if name == "memory" else 20
            title = f"a call that one limit admits, {name}"
            found = bench.pair(title, [ours, *cases], rounds=bench.repeats(40, 8), calls=10, batch=batch)
            if not limiter.hit(take).counted_in == "store":
                raise AssertionError(f"the {name} store failed while it was measured")
            bench.figure(f"limit_us.{name}", found[_OURS].median * 1e6)


def admitted(bench: Bench) -> None:
    """``limit_admitted.<store>``, and as ``limit_admitted`` the one furthest from the limit: 10 is right."""
    counts: dict[str, int] = {}
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        mariadb, redis = opened.enter_context(MariaDBServer()), opened.enter_context(RedisServer())
        urls = {
            "sqlite": f"sqlite:///{folder / 'limits.db'}",
            "mariadb": mariadb.create_database(),
            "redis": redis.create_database(),
        }
        for name, url in urls.items():
            rounds = [admitted_at_once(url, f"round {number}") for number in range(bench.repeats(5, 1))]
            counts[name] = max(rounds, key=_error)
            bench.figure(f"limit_admitted.{name}", counts[name])
    bench.figure("limit_admitted", max(counts.values(), key=_error))


def _error(count: int) -> int:
    return abs(count - LIMIT)


def admitted_at_once(url: str, key: str, ask: Callable[[str, str, Barrier, Any], None] | None = None) -> int:
    """How many of the 80 are admitted; ``ask`` is what each process does, ours unless given."""
    context = forked(__name__)
    barrier, results = context.Barrier(PROCESSES), context.Queue()
    workers = [context.Process(target=ask or _ask, args=(url, key, barrier, results)) for _ in range(PROCESSES)]
    for worker in workers:
        worker.start()
    total = sum(results.get(timeout=120) for _ in workers)
    for worker in workers:
        worker.join()
    return int(total)


def _ask(url: str, key: str, barrier: Barrier, results: Any) -> None:
    """A process: each of its threads, connected already, asks once."""
    limit = Limit.parse(f"{LIMIT}/hour")
    with (
        closing(open_store(url, timeout=_PATIENCE)) as store,
        RateLimiter(store, unavailable="closed") as limiter,
        ThreadPoolExecutor(THREADS) as pool,
    ):
        list(pool.map(lambda _: limiter.hit(limit.of("warm")), range(THREADS)))
        barrier.wait()
        results.put(sum(pool.map(lambda _: limiter.hit(limit.of(key)).allowed, range(THREADS))))
