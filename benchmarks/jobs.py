"""How fast a worker runs no-op jobs, how soon an idle one begins, what a killed one costs, what a backlog costs.

On private servers and on SQLite files, status on and every default kept, in turns with dramatiq's own brokers, Celery,
RQ, arq, taskiq and Huey, which keep none. Each worker is a process of its own with eight threads, or with what its
documentation offers instead: the tables say what. Redis keeps an append-only file for everybody.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from postrmagic_core.errors import ConfigurationError
from postrmagic_core.testing import servers
from postrmagic_core.testing.servers import MariaDBServer, RedisServer

from . import _jobs_backlog, _jobs_latency, _jobs_rates
from ._harness import Bench
from ._jobs_ours import Place
from ._jobs_peers import OTHERS, Dramatiq
from ._jobs_rates import Runner
from ._jobs_recovery import recovering

TAKES: frozenset[str] = frozenset()
_BROKERS = ("redis", "sqlite", "mariadb", "rabbitmq")


@dataclass(frozen=True)
class Rig:
    """The servers of one run, a folder for everything else, and which of our brokers there are."""

    folder: Path
    redis: RedisServer
    mariadb: MariaDBServer
    rabbitmq: Any
    brokers: Sequence[str]

    def places(self, purpose: str) -> dict[str, Place]:
        """New places for our jobs, by name."""
        return {name: self.place(name, purpose) for name in self.brokers}

    def place(self, name: str, purpose: str) -> Place:
        """A new place; where the broker is no database, tasks write to SQLite."""
        database = f"sqlite:///{self.folder / f'{purpose} {name}.db'}"
        if name == "mariadb":
            database = self.mariadb.create_database()
        elsewhere = {"redis": self.redis.create_database, "rabbitmq": self._vhost}
        place = Place(elsewhere.get(name, lambda: database)(), database, f"{purpose}-{name}")
        place.prepare()
        return place

    def _vhost(self) -> str:
        return str(self.rabbitmq.url)


def run(bench: Bench) -> None:
    """Report every figure."""
    with ExitStack() as opened:
        rig = _rig(bench, opened)
        with recovering(rig.places("recovery"), rig.folder) as recoveries:
            rates(bench, rig)
            latencies(bench, rig)
            recovered = recoveries.seconds()
        for name, seconds in recovered.items():
            bench.figure(f"recovery_s.{name}", seconds)
        bench.figure("recovery_s", max(recovered.values()))
        idle(bench, rig)
        _jobs_rates.enqueueing(bench, rig.places("enqueue"), Dramatiq(rig.redis.create_database()))
        backlog(bench, rig)


def _rig(bench: Bench, opened: ExitStack) -> Rig:
    folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
    redis, mariadb = opened.enter_context(RedisServer(appendonly="everysec")), opened.enter_context(MariaDBServer())
    rig = Rig(folder, redis, mariadb, _rabbitmq(bench, opened), _BROKERS)
    brokers = list(_BROKERS if rig.rabbitmq else _BROKERS[:-1])
    for name in tuple(brokers):
        try:
            with rig.place(name, "probe").queue():
                pass
        except (ConfigurationError, ImportError) as error:
            brokers.remove(name)
            bench.missing[f"ours on {name}"] = f"not measured: {error}"
    return replace(rig, brokers=brokers)


def _rabbitmq(bench: Bench, opened: ExitStack) -> Any:
    server = getattr(servers, "RabbitMQServer", None)
    if server is None or server.binary() is None:
        bench.missing["rabbitmq_rate_ratio"] = "not measured: there is no RabbitMQ server"
        return None
    return opened.enter_context(server())


def rates(bench: Bench, rig: Rig) -> None:
    """``redis_rate_ratio``, ``sqlite_rate_ratio``, ``mariadb_rate_ratio``: over dramatiq on Redis.

    ``rabbitmq_rate_ratio``: over dramatiq on RabbitMQ; ``fastest_peer_rate_ratio``: our fastest over theirs.
    """
    ours = {name: Runner.of(*place.given) for name, place in rig.places("rates").items()}
    dramatiq = Runner.of("dramatiq", rig.redis.create_database())
    others = _jobs_rates.runners(bench, {name: rig.redis.create_database() for name in OTHERS})
    number, rounds = bench.scaled(2000, 300), bench.repeats(5, 1)
    on_rabbitmq = ours.pop("rabbitmq", None)
    found = _jobs_rates.in_turns(
        bench, f"{number:,} jobs", [dramatiq, *ours.values(), *others], rig.folder, number=number, rounds=rounds
    )
    for name, runner in ours.items():
        bench.figure(f"{name}_rate_ratio", found.rate_ratio(runner.label, dramatiq.label))
    if ours and others:
        best = max((runner.label for runner in ours.values()), key=lambda label: found[label].rate)
        peer = max((runner.label for runner in others), key=lambda label: found[label].rate)
        bench.figure("fastest_peer_rate_ratio", found.rate_ratio(best, peer))
    if on_rabbitmq is not None:
        theirs = Runner.of("dramatiq", str(rig.rabbitmq.url))
        found = _jobs_rates.in_turns(
            bench, f"{number:,} jobs, RabbitMQ", [theirs, on_rabbitmq], rig.folder, number=number, rounds=rounds
        )
        bench.figure("rabbitmq_rate_ratio", found.rate_ratio(on_rabbitmq.label, theirs.label))


def latencies(bench: Bench, rig: Rig) -> None:
    """``start_latency_redis_ms``, ``start_latency_sql_ms`` (the slower of two), ``start_latency_local_ms``.

    Those of RabbitMQ and of dramatiq follow a dot.
    """
    theirs = rig.redis.create_database(), rig.redis.create_database()
    places = rig.places("latency")
    found = _jobs_latency.start_latencies(bench, places, theirs, rig.folder, bench.repeats(60, 6))
    if "redis" in places:
        bench.figure("start_latency_redis_ms", found["redis"].median * 1e3)
    bench.figure("start_latency_redis_ms.dramatiq", found["dramatiq"].median * 1e3)
    bench.figure("start_latency_sql_ms", max(found[name].median for name in ("sqlite", "mariadb")) * 1e3)
    bench.figure("start_latency_local_ms", found["sqlite here"].median * 1e3)
    bench.figure("start_latency_local_ms.dramatiq", found["dramatiq here"].median * 1e3)
    if "rabbitmq" in places:
        bench.figure("start_latency_rabbitmq_ms", found["rabbitmq"].median * 1e3)


def idle(bench: Bench, rig: Rig) -> None:
    """``idle_queries_per_s``: the larger of a worker's on MariaDB and of one's on Redis whose database is MariaDB."""
    seconds, found = bench.repeats(30, 3), {}
    with _jobs_latency.questions(rig.mariadb.url) as statements, _jobs_latency.commands(rig.redis.url) as commands:
        place = rig.place("mariadb", "idle")
        found["mariadb"] = _jobs_latency.idle_per_second(place, statements, rig.folder, seconds)
        if "redis" in rig.brokers:
            mixed = Place(rig.redis.create_database(), place.database)
            both = partial(_sum, statements, commands)
            found["redis"] = _jobs_latency.idle_per_second(mixed, both, rig.folder, seconds)
    for name, each in found.items():
        bench.figure(f"idle_queries_per_s.{name}", each)
    bench.figure("idle_queries_per_s", max(found.values()))


def _sum(*counts: Callable[[], int]) -> int:
    return sum(count() for count in counts)


def backlog(bench: Bench, rig: Rig) -> None:
    """``backlog_time_ratio``: what a job costs while most wait over what it costs while one does; the largest.

    With ``--plot`` the picture is of this.
    """
    largest = bench.scaled(_jobs_backlog.SIZES[-1], 10_000)
    sizes = [size for size in _jobs_backlog.SIZES if size <= largest]
    found = {
        place.kind: _jobs_backlog.costs(place, sizes, bench.repeats(300, 60))
        for name, place in rig.places("backlog").items()
        if name != "rabbitmq"  # whose jobs are the database's rows
    }
    bench.comparisons += _jobs_backlog.comparisons(found)
    ratios = {kind.lower(): median(costs[largest]) / median(costs[1]) for kind, costs in found.items()}
    for kind, ratio in ratios.items():
        bench.figure(f"backlog_time_ratio.{kind}", ratio)
    bench.figure("backlog_time_ratio", max(ratios.values()))
    bench.picture = _jobs_backlog.picture(found)


if __name__ == "__main__":
    from .__main__ import main

    raise SystemExit(main(["run", "jobs", *sys.argv[1:]]))
