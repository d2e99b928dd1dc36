"""What metrics tell of a database now: how full its pools are, and what waits in the outbox."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from .._clock import to_us
from .._metrics import Told
from .._sql import PoolState
from .interface import OutboxCount


def of_pools(pools: Iterable[PoolState]) -> Iterator[Told]:
    """How many connections each pool may have, has open and has lent, and how many callers wait for one."""
    for pool in pools:
        labels: dict[str, str] = {"pool": pool.role}
        yield "db_pool_capacity", labels, pool.capacity
        yield "db_pool_open", labels, pool.open
        yield "db_pool_in_use", labels, pool.in_use
        yield "db_pool_waiting", labels, pool.waiting


def of_outbox(counts: Mapping[str, OutboxCount], now_us: int) -> Iterator[Told]:
    """How many rows of each topic wait and are dead, and since when the oldest that waits was staged."""
    for topic, count in counts.items():
        labels = {"topic": topic}
        age = 0 if count.oldest_at is None else now_us - to_us(count.oldest_at)
        yield "outbox_waiting", labels, count.waiting
        yield "outbox_dead", labels, count.dead
        yield "outbox_oldest_seconds", labels, max(0.0, age / 1e6)
