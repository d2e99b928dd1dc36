"""What the script claims, buries and leaves is what the policy decides: one rule, written in two languages."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postrmagic_core.jobs import policy
from postrmagic_core.jobs.adapters.redis import RedisBroker
from postrmagic_core.jobs.interface import PRIORITIES, Claim, Outcome, Selection, Settlement, Want
from postrmagic_core.stores.redis_client import Lua
from postrmagic_core.testing.servers import RedisServer
from tests.jobs.redis.rig import PREFIX, new, options

pytestmark = pytest.mark.redis

LEASE_US = 30_000_000
QUEUES = ("a", "b")


class Timed(RedisBroker):
    """A broker whose time the test sets."""

    now_us = 1_800_000_000_000_000

    def _run(self, lua: Lua, told: Sequence[Any], *, writes: bool = True) -> Any:
        return self._client.run(lua, [self._prefix], [self.now_us, *told], writes=writes)


@dataclass
class Known:
    """A job as the model knows it; ``at``: when it is due, or its lease ends."""

    id: str
    queue: str
    priority: int
    retries: int
    at: int
    deliveries: int = 0
    fence: int = 0
    state: str = "queued"


@dataclass
class Model:
    """The rule as policy.py has it, applied to plain objects."""

    jobs: dict[str, Known] = field(default_factory=dict)

    def due(self, queue: str, now: int, held: frozenset[str]) -> list[Known]:
        """What may be claimed, in the order of delivery."""
        live = [
            job for job in self.jobs.values() if job.queue == queue and job.state in ("queued", "retrying", "running")
        ]
        due = [job for job in live if job.at <= now and job.id not in held]
        return sorted(due, key=lambda job: (job.priority, job.at, job.id))

    def turn(self, queues: Sequence[str], free: int, idle: bool, held: frozenset[str], now: int) -> policy.Choice:
        """What a turn takes and buries."""
        found = policy.shared([self.due(queue, now, held)[: free + 1] for queue in queues], free + 1)
        candidates = [policy.Candidate(job.id, job.deliveries, job.retries, job.state == "running") for job in found]
        choice = policy.choose(candidates, free=free, busy=not idle)
        for job_id in choice.bury:
            self.jobs[job_id].state = "dead"
        for job_id in choice.take:
            job = self.jobs[job_id]
            job.state, job.at = "running", now + LEASE_US
            job.deliveries, job.fence = job.deliveries + 1, job.fence + 1
        return choice

    def soonest(self, now: int) -> float | None:
        """Seconds until something may be due."""
        times = [job.at for job in self.jobs.values() if job.state in ("queued", "retrying", "running")]
        return max(0, min(times) - now) / 1e6 if times else None


jobs = st.tuples(
    st.sampled_from(QUEUES),
    st.sampled_from(PRIORITIES),
    st.integers(0, 2),
    st.sampled_from([0, 0, -5, -1, 10, 40_000_000]),
)
wants = st.tuples(st.permutations(QUEUES), st.integers(1, 4), st.booleans())
puts = st.tuples(st.just("put"), st.lists(jobs, min_size=1, max_size=6))
turns = st.tuples(st.just("turn"), st.tuples(wants, st.floats(0, 1), st.integers(0, 2**32)))
waits = st.tuples(st.just("wait"), st.sampled_from([1, 10, LEASE_US // 2, LEASE_US, 2 * LEASE_US]))
histories = st.lists(st.one_of(puts, turns, turns, waits), min_size=1, max_size=25)

# A job, how often it was delivered, whether it runs, and whether the worker holds it.
found = st.tuples(jobs, st.integers(0, 3), st.booleans(), st.sampled_from([False, False, False, True]))


class History:
    """A broker and the model, through the same events."""

    def __init__(self, broker: Timed) -> None:
        self.broker = broker
        self.model = Model()
        self.running: dict[str, Claim] = {}

    def put(self, described: list[tuple[Any, ...]]) -> None:
        """Enqueue jobs with due times relative to now."""
        now = self.broker.now_us
        put = [
            new(queue, priority=priority, retries=retries, due_us=now + late)
            for queue, priority, retries, late in described
        ]
        self.broker.put(put)
        for job in put:
            self.model.jobs[job.id] = Known(job.id, job.queue, PRIORITIES.index(job.priority), job.retries, job.due_us)

    def turn(self, wanted: tuple[Any, ...]) -> None:
        """Settle some of what runs, hold some of it, and claim."""
        (queues, free, idle), share, seed = wanted
        lots = random.Random(seed)
        settlements = [self.settlement(claim, lots) for claim in list(self.running.values()) if lots.random() < share]
        held = frozenset(job_id for job_id in self.running if lots.random() < 0.5)
        self.claim(settlements, (queues, free, idle), held)

    def claim(self, settlements: list[Settlement], want: tuple[Any, ...], held: frozenset[str]) -> None:
        """One turn of both."""
        queues, free, idle = want
        self.broker._served.clear()  # whose turn it is, the test says
        turn = self.broker.turn(settlements, Want("w", queues, free, idle, held))
        choice = self.model.turn(queues, free, idle, held, self.broker.now_us)
        assert tuple(claim.id for claim in turn.claims) == choice.take
        assert [claim.alone for claim in turn.claims] == [choice.alone] * len(choice.take)
        for claim in turn.claims:
            known = self.model.jobs[claim.id]
            assert (claim.attempt, claim.fence) == (known.deliveries, known.fence)
            self.running[claim.id] = claim
        assert turn.next_due == (None if turn.claims else self.model.soonest(self.broker.now_us))

    def settlement(self, claim: Claim, lots: random.Random) -> Settlement:
        """Some end of a delivery; the model learns of it if the claim still holds."""
        outcome = Outcome(
            lots.choice(["succeeded", "failed", "retrying", "queued"]), delay=lots.choice([0.0, 1.0, 60.0])
        )
        known = self.model.jobs[claim.id]
        del self.running[claim.id]
        if known.state == "running" and known.fence == claim.fence:
            known.state = outcome.state
            known.at = self.broker.now_us + (round(outcome.delay * 1e6) if outcome.state == "retrying" else 0)
            known.deliveries -= outcome.state == "queued"
        return Settlement(claim, outcome)

    def agree(self) -> None:
        """Both know the same of every job."""
        told = {job.status.id: job.status for job in self.broker.records(Selection(ids=list(self.model.jobs)))}
        for known in self.model.jobs.values():
            status = told[known.id]
            state = "retrying" if known.state == "queued" and known.deliveries else known.state
            assert (status.state, status.attempts) == (state, known.deliveries)


@pytest.fixture(scope="module")
def broker(durable_server: RedisServer) -> Iterator[Timed]:
    """One whose time the tests set."""
    with closing(Timed.from_url(durable_server.create_database(), options(LEASE_US / 1e6))) as broker:
        yield broker


def emptied(broker: Timed) -> Timed:
    """The same, knowing nothing."""
    broker._client.commands(("FLUSHDB",), writes=True)
    broker._served.clear()
    return broker


@settings(max_examples=50, deadline=None)
@given(histories)
def test_the_script_lives_as_the_policy_does(broker: Timed, history: list[tuple[str, Any]]) -> None:
    """Any history of jobs put, settled, abandoned and held in two queues: claims, burials, counts and times agree."""
    both = History(emptied(broker))
    for what, told in history:
        if what == "put":
            both.put(told)
        elif what == "turn":
            both.turn(told)
        else:
            broker.now_us += told
    both.agree()


@settings(max_examples=150, deadline=None)
@given(st.lists(found, min_size=1, max_size=8), wants)
def test_the_script_decides_as_the_policy_does(
    broker: Timed, described: list[tuple[Any, int, bool, bool]], want: tuple[list[str], int, bool]
) -> None:
    """Whatever waits, runs or was abandoned, however often it was delivered: one turn takes and buries the same."""
    both = History(emptied(broker))
    both.put([job for job, *_ in described])
    commands: list[Any] = []
    for known, (_, deliveries, runs, _) in zip(both.model.jobs.values(), described, strict=True):
        known.deliveries, known.state = deliveries, "running" if runs else "retrying" if deliveries else "queued"
        commands.append(("HSET", f"{PREFIX}job:{known.id}", "deliveries", deliveries, "state", known.state))
        if runs:
            place = f"{known.priority}:{known.queue}"
            commands.append(("ZREM", f"{PREFIX}waiting:{place}", known.id))
            commands.append(("ZADD", f"{PREFIX}running:{place}", known.at, known.id))
    broker._client.commands(*commands, writes=True)
    held = frozenset(known.id for known, each in zip(both.model.jobs.values(), described, strict=True) if each[3])
    both.claim([], want, held)
    both.agree()
