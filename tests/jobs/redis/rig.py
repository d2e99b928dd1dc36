"""What the tests of the Redis broker work with."""

from __future__ import annotations

import time
from itertools import count
from typing import Any, Protocol, TypeVar, cast

from postrmagic_core._ids import uuid7
from postrmagic_core.jobs.adapters.redis import RedisBroker
from postrmagic_core.jobs.interface import BrokerOptions, Claim, NewJob, Outcome, Selection, Settlement, Want

R = TypeVar("R")

_numbers = count(time.time_ns() // 1000)
PREFIX = "{app}:jobs:"


class Opener(Protocol):
    """Opens an adapter; see :meth:`__call__`."""

    def __call__(self, url: str, *, lease: float = ..., broker_class: type[RedisBroker] = ...) -> RedisBroker:
        """An open one, closed after the test."""
        ...


def options(lease: float = 30.0) -> BrokerOptions:
    """The adapter keeps no rows and draws no lots."""
    return BrokerOptions("app", cast("Any", None), lease, lambda: 0.5)


def new(queue: str = "q", **fields: Any) -> NewJob:
    """A job; each has a greater id than the one before."""
    defaults: dict[str, Any] = {"task": "t", "retries": 3, "payload": b"p"}
    return NewJob(id=str(uuid7(next(_numbers))), queue=queue, **{**defaults, **fields})


def claim(broker: RedisBroker, free: int = 100, *, queues: tuple[str, ...] = ("q",), **want: Any) -> list[Claim]:
    """What one turn brings."""
    return list(broker.turn([], Want("w", queues, free, **want)).claims)


def settle(broker: RedisBroker, *claims: Claim, state: Any = "succeeded", **outcome: Any) -> list[bool]:
    """Record the same end for each; whether it still held."""
    return list(broker.turn([Settlement(each, Outcome(state, **outcome)) for each in claims], None).owned)


def states(broker: RedisBroker, *jobs: NewJob) -> list[str]:
    """The jobs' states, with the reasons of those that have one; of those that are known."""
    found = broker.records(Selection(ids=[job.id for job in jobs]))
    return [f"{job.status.state}: {job.status.reason}" if job.status.reason else job.status.state for job in found]
