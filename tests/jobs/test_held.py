"""What a worker holds: how much it takes, what it gives back, and whom it believes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from postrmagic_core.jobs import policy, task
from postrmagic_core.jobs.deadlines import Deadlines
from postrmagic_core.jobs.held import Held
from postrmagic_core.jobs.interface import Claim, Outcome, Renewal, Want
from postrmagic_core.jobs.loop import TaskLoop
from postrmagic_core.jobs.runner import Runner

DONE = Outcome("succeeded")


class Rings:
    """Counts."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


@pytest.fixture
def rings() -> Rings:
    return Rings()


@pytest.fixture
def held(rings: Rings) -> Held:
    return Held("me", 2, rings)


def claim(job_id: str, fence: int = 1, *, alone: bool = False) -> Claim:
    return Claim(job_id, "default", "task", 3, b"", fence, fence, alone=alone)


def wanted(held: Held) -> Want:
    want = held.want(["default"])
    assert want is not None
    return want


def run(held: Held, job_id: str, *, took: float) -> None:
    """As if the job had been run in ``took`` seconds."""
    held.add([claim(job_id)])
    delivery = held.start(job_id)
    assert delivery is not None
    delivery.began -= took
    held.end(delivery, DONE)


def handed_back(held: Held) -> Sequence[str]:
    return [each.claim.id for each in held.settlements() if each.outcome.state == "queued"]


def test_it_takes_one_job_to_a_thread_until_it_knows_better(held: Held) -> None:
    """What it holds is not taken again, and it says whether it is idle."""
    assert (wanted(held).free, wanted(held).idle, wanted(held).held) == (2, True, frozenset())
    held.add([claim("a")])
    assert (wanted(held).free, wanted(held).idle, wanted(held).held) == (1, False, {"a"})
    held.add([claim("b")])
    assert held.want(["default"]) is None


def test_short_jobs_are_fetched_ahead(held: Held) -> None:
    """Up to four to a thread beside what runs; one by one they would take longer to fetch than to run."""
    run(held, "a", took=0.0)
    assert wanted(held).free == 2 + policy.appetite(2, 0.0) == 10


def test_long_jobs_are_not_fetched_ahead(held: Held) -> None:
    """They would wait here while another worker is idle."""
    run(held, "a", took=1.0)
    assert wanted(held).free == 2


def test_a_job_that_turns_long_ends_the_fetching_ahead(held: Held) -> None:
    """The mean follows what was run last."""
    run(held, "a", took=0.0)
    run(held, "b", took=1.0)
    assert wanted(held).free == 2


def test_while_every_thread_is_at_a_long_job_nothing_is_fetched_ahead(held: Held) -> None:
    """Nor is what was handed back for that taken again; one thread that goes on with short ones is enough."""
    run(held, "a", took=0.0)
    held.add([claim("b"), claim("c")])
    long, other = held.start("b"), held.start("c")
    assert long is not None
    assert other is not None
    long.began -= 1.0
    assert wanted(held).free > 0
    other.began -= 1.0
    assert held.want(["default"]) is None


def test_beside_a_job_that_must_run_alone_nothing_is_taken(held: Held) -> None:
    """Until it has ended."""
    held.add([claim("a", alone=True)])
    delivery = held.start("a")
    assert held.want(["default"]) is None
    assert delivery is not None
    held.end(delivery, DONE)
    assert wanted(held).idle


def test_what_waits_too_long_is_handed_back(held: Held, rings: Rings) -> None:
    """Not what runs; the thread that comes for it later finds nothing."""
    held.add([claim("a"), claim("b")])
    assert held.start("a") is not None
    held.hand_back(60.0)
    assert (handed_back(held), rings.count) == ([], 0)
    held.hand_back(0.0)
    assert (handed_back(held), rings.count) == (["b"], 1)
    assert held.start("b") is None


def test_drained_it_takes_nothing_more(held: Held) -> None:
    """And hands back what has not begun."""
    held.add([claim("a")])
    held.drain()
    assert held.want(["default"]) is None
    assert handed_back(held) == ["a"]


def test_what_could_not_be_settled_comes_again_before_what_ended_since(held: Held) -> None:
    """Until it is recorded; then it is forgotten."""
    run(held, "a", took=0.0)
    assert [each.claim.id for each in held.settlements()] == ["a"]
    run(held, "b", took=0.0)
    held.unsettled()
    assert [each.claim.id for each in held.settlements()] == ["a", "b"]
    held.settled()
    assert held.settlements() == []


def test_what_has_ended_stays_leased_until_it_is_recorded(held: Held) -> None:
    """Else it would be delivered again while the broker is away."""
    held.add([claim("waits"), claim("runs"), claim("ended")])
    held.start("runs")
    ended = held.start("ended")
    assert ended is not None
    held.end(ended, DONE)
    assert {beat.claim.id for beat in held.beats()} == {"waits", "runs", "ended"}
    held.settlements()
    assert {beat.claim.id for beat in held.beats()} == {"waits", "runs", "ended"}
    held.settled()
    assert {beat.claim.id for beat in held.beats()} == {"waits", "runs"}


def test_progress_is_told_once(held: Held) -> None:
    """With a sign of life, and between two of them by those alone that have news."""
    held.add([claim("a"), claim("b")])
    first, second = held.start("a"), held.start("b")
    assert first is not None
    assert second is not None
    assert held.beats(told_only=True) == []
    first.progress = b"half"
    assert [(beat.claim.id, beat.progress) for beat in held.beats(told_only=True)] == [("a", b"half")]
    assert [beat.progress for beat in held.beats()] == [None, None]


def test_only_the_delivery_that_lost_its_lease_is_told(held: Held) -> None:
    """The news may come when the same job has been delivered here anew."""
    held.add([claim("a", 1)])
    first = held.start("a")
    assert first is not None
    beats = held.beats()
    held.end(first, Outcome("retrying"))
    held.settlements()
    held.settled()
    held.add([claim("a", 2)])
    second = held.start("a")
    assert second is not None
    assert held.heed(beats, Renewal(lost=["a"])) == []
    assert not second.lost
    assert held.heed(held.beats(), Renewal(lost=["a"])) == ["a"]
    assert second.lost


@pytest.mark.parametrize("renewal", [Renewal(cancelled=["a"]), Renewal(lost=["a"])])
def test_what_is_not_wanted_any_more_is_not_begun(sqlite_rig: Any, held: Held, renewal: Renewal) -> None:
    """Cancelled or taken over while it waited for a thread."""
    began = []

    @task(name="task")
    def never(ctx: Any) -> None:
        began.append(ctx)

    sqlite_rig.jobs.include(never)
    held.add([claim("a")])
    held.heed(held.beats(), renewal)
    Runner(sqlite_rig.jobs, held, Deadlines(), TaskLoop(), None)("a")
    assert [each.outcome.state for each in held.settlements()] == ["cancelled"]
    assert began == []
