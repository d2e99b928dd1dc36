"""A look into a process's pools from outside, by :mod:`postrmagic_core._window`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from .. import _window
from .._metrics import Metrics
from .._sql import PoolState, Role
from .._sql.ledger import Holder

_QUANTILE = 0.95


@dataclass(frozen=True, slots=True)
class PoolReport:
    """A pool as its process tells: ``wait`` and ``hold``, seconds that 95 of 100 connections stayed below so far."""

    pool: PoolState
    wait: float
    hold: float


@dataclass(frozen=True, slots=True)
class ProcessReport:
    """The pools of one process on a database; ``command`` is what it was started as."""

    pid: int
    command: str
    pools: tuple[PoolReport, ...]


class Window(_window.Window):
    """Answers :func:`look` for one database of this process, from the first connection until :meth:`close`."""

    def __init__(self, database_id: str, pools: Callable[[], list[PoolState]], metrics: Metrics) -> None:
        self._pools = pools
        self._metrics = metrics
        super().__init__(database_id, self._told, thread="postrmagic-pool-window", command="postrmagic db pool")

    def _told(self) -> dict[str, Any]:
        pools = tuple(
            PoolReport(pool, self._below("wait", pool.role), self._below("hold", pool.role)) for pool in self._pools()
        )
        return asdict(ProcessReport(os.getpid(), " ".join(sys.argv)[:200], pools))

    def _below(self, what: str, role: Role) -> float:
        return self._metrics.histogram(f"db_pool_{what}_seconds", pool=role).quantile(_QUANTILE)


def look(database_id: str) -> list[ProcessReport]:
    """The pools of every process of this user on this machine that has the database open, by process id."""
    return sorted(map(_read, _window.look(database_id)), key=lambda report: report.pid)


def _read(answer: Any) -> ProcessReport:
    pools = []
    for told in answer["pools"]:
        holders = tuple(Holder(**holder) for holder in told["pool"].pop("holders"))
        pools.append(PoolReport(PoolState(**told["pool"], holders=holders), told["wait"], told["hold"]))
    return ProcessReport(answer["pid"], answer["command"], tuple(pools))
