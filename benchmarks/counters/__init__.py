"""What is lost, doubled, admitted or left hanging when things go wrong: the same small experiments on peers beside us.

Each experiment is the same on every side: the same processes, the same kill, the same lost answer. A peer is set up as
its documentation says; where that offers a safer way, this is a row of its own. ``<figure>_peer.<name>`` is a peer's.
On private servers and files.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from .._harness import Bench

TAKES: frozenset[str] = frozenset()


def run(bench: Bench) -> None:
    """Report every figure."""
    from postrmagic_core.testing.servers import MariaDBServer, RedisServer

    from . import admissions, cold, jobs, migration, outages, sessions, updates

    with (
        RedisServer(appendonly="everysec") as redis,
        MariaDBServer() as mariadb,
        jobs.recovering(bench, redis) as recoveries,
        ThreadPoolExecutor(1) as aside,
    ):
        # Nothing here is timed in milliseconds: what mostly waits does so beside the others.
        poisoned = aside.submit(jobs.poisoned, bench, redis)
        updates.lost(bench)
        cold.computations(bench, redis.create_database())
        admissions.admitted(bench, redis.create_database())
        poisoned.result()
        sessions.races(bench, redis)
        outages.lost_reply(bench, redis)
        outages.blackholed(bench)
        migration.losses(bench, mariadb)
        recoveries.report(bench)
