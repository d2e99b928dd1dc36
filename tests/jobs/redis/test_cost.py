"""What a turn costs the server does not depend on how much waits."""

from __future__ import annotations

import pytest
import redis

from postrmagic_core.jobs.adapters.redis import RedisBroker
from postrmagic_core.jobs.interface import Claim, Outcome, Settlement, Want
from tests.jobs.redis.rig import new

pytestmark = pytest.mark.redis


def cost(broker: RedisBroker, raw: redis.Redis, turns: int) -> float:
    """The server's own microseconds for a turn that settles eight jobs and claims eight; the least of twenty rounds."""
    rounds: list[float] = []
    claims: list[Claim] = []
    for _ in range(20):
        raw.config_resetstat()
        for _ in range(turns):
            ends = [Settlement(each, Outcome("succeeded")) for each in claims]
            claims = list(broker.turn(ends, Want("w", ["q"], 8, not ends)).claims)
            broker.put([new() for _ in claims])
        called = raw.info("commandstats")["cmdstat_evalsha"]
        rounds.append(float(called["usec"]) / turns)
    broker.turn([Settlement(each, Outcome("succeeded")) for each in claims], None)
    return min(rounds)


def test_a_turn_costs_the_same_before_ten_and_before_thousands(broker: RedisBroker, raw: redis.Redis) -> None:
    """Claims come from the front of a sorted set: 2,000 times the backlog costs less than twice the time."""
    broker.put([new() for _ in range(10)])
    cost(broker, raw, 5)
    few = cost(broker, raw, 25)
    for _ in range(4):
        broker.put([new() for _ in range(5_000)])
    assert broker.counts()["q"].queued > 20_000
    assert cost(broker, raw, 25) < 2 * few
