"""The broker contract on unique jobs: while a key is held nobody else has it, and nothing leaves one behind."""

from __future__ import annotations

import time
from collections.abc import Callable

from postrmagic_core.jobs.interface import BrokerAdapter, NewJob, Unique

from ..waiting import until
from .broker_rig import (
    BRIEF,
    LONG,
    End,
    Opener,
    Worker,
    change,
    ended,
    known,
    new,
    now_us,
    persist,
    state_of,
    status_of,
    together,
)

# Different keys, which a careless comparison takes for one.
ALIKE = ["a", "A", "a ", " a", "á", "a\u0301", "a\x00", "a\x00b", "a%", "a_", "'", "{a}", "ä€😀", "k" * 199, "k" * 200]

SCOPES: list[tuple[str, float | None]] = [("until_start", None), ("until_done", None), ("window", 60.0)]


def sole(key: str = "key", scope: str = "until_done", seconds: float | None = None, **options: object) -> NewJob:
    """A job under a unique key."""
    return new(unique=Unique(key, scope, seconds), **options)  # type: ignore[arg-type]  # names from parameter lists


class UniquePromises:
    """Mixed into :class:`~postrmagic_core.testing.contracts.broker.BrokerContract`."""

    def test_a_held_key_keeps_others_out(self, broker: BrokerAdapter, other: BrokerAdapter) -> None:
        """The caller is told the holder, and his job is not kept; whatever the scope, and his own queue and task."""
        holders = [sole(f"key-{scope}", scope, seconds) for scope, seconds in SCOPES]
        late = [sole(f"key-{scope}", "until_done", queue="else", task="u") for scope, _ in SCOPES]
        beside, apart = new(), sole("another")
        assert broker.put(holders) == {}
        told = {one.id: holder.id for one, holder in zip(late, holders, strict=True)}
        assert other.put([beside, *late, apart]) == told
        assert other.put(late) == told
        assert known(broker) == {*(holder.id for holder in holders), beside.id, apart.id}

    def test_a_holder_is_not_kept_out_by_itself(self, broker: BrokerAdapter, other: BrokerAdapter) -> None:
        """Put again it changes nothing, and is nobody else."""
        jobs = [sole(f"key-{scope}", scope, seconds) for scope, seconds in SCOPES]
        assert broker.put([*jobs, *jobs]) == {}
        assert other.put(jobs) == {}
        assert known(broker) == {job.id for job in jobs}

    def test_a_former_holder_that_is_put_again_takes_nothing(self, broker: BrokerAdapter, worker: Worker) -> None:
        """It was enqueued before: it is neither kept out nor given the key anew, whoever has it now."""
        first, second = sole("taken"), sole("taken")
        past, third = sole("free", "window", 0.05), sole("free")
        broker.put([first, past])
        for claim in worker.claim():
            worker.settle(claim)
        assert broker.put([second]) == {}
        assert broker.put([first]) == {}
        last = sole("taken")
        assert broker.put([last]) == {last.id: second.id}
        ended = now_us(broker) + 60_000
        until(lambda: now_us(broker) > ended, "time stood still")
        assert broker.put([past]) == {}
        assert broker.put([third]) == {}

    def test_the_first_of_a_call_holds_the_key(self, broker: BrokerAdapter) -> None:
        """The others in the same call are told so."""
        first, second, third = sole(), sole(), sole()
        assert broker.put([first, second, new(), third]) == {second.id: first.id, third.id: first.id}

    def test_keys_that_look_alike_are_different(self, broker: BrokerAdapter) -> None:
        """Case, accents, spaces, zero bytes and patterns make different keys, up to 200 bytes."""
        jobs = [sole(key) for key in ALIKE]
        assert broker.put(jobs) == {}
        again = [sole(key) for key in ALIKE]
        assert broker.put(again) == {late.id: job.id for late, job in zip(again, jobs, strict=True)}

    def test_until_start_ends_with_the_first_delivery(
        self, broker: BrokerAdapter, worker: Worker, rival: Worker
    ) -> None:
        """The next one may be put while it runs; neither its end nor its coming back takes the key from that one."""
        first, second, third = (sole(scope="until_start") for _ in range(3))
        broker.put([first])
        claim = worker.claim_one()
        assert broker.put([second]) == {}
        assert worker.settle(claim, "queued")
        assert broker.put([third]) == {third.id: second.id}
        again = {claim.id: claim for claim in rival.claim()}
        assert set(again) == {first.id, second.id}
        assert broker.put([third]) == {}
        assert rival.settle(again[first.id])
        last = sole()
        assert broker.put([last]) == {last.id: third.id}

    def test_until_done_lasts_until_the_end(self, broker: BrokerAdapter, open_broker: Opener, rival: Worker) -> None:
        """Neither its delivery, nor a retry, nor a lost worker, nor handing it back lets another one in."""
        first, second = sole(), sole()
        broker.put([first])
        claim = Worker(broker).claim_one()
        assert broker.put([second]) == {second.id: first.id}
        Worker(broker).settle(claim, "queued")
        assert broker.put([second]) == {second.id: first.id}
        Worker(broker).settle(Worker(broker).claim_one(), "retrying", delay=0.01)
        assert broker.put([second]) == {second.id: first.id}
        Worker(open_broker(lease=BRIEF), "lost").await_one()
        claim = rival.await_one()
        assert broker.put([second]) == {second.id: first.id}
        rival.settle(claim)
        assert broker.put([second]) == {}

    def test_until_done_ends_with_every_end(self, broker: BrokerAdapter, other: BrokerAdapter, worker: Worker) -> None:
        """In the step that records it."""
        ends: list[End] = ["succeeded", "failed", "dead", "cancelled"]
        broker.put([sole(end) for end in ends])
        for claim, end in zip(worker.claim(), ends, strict=True):
            worker.settle(claim, end)
        following = [sole(end) for end in ends]
        assert other.put(following) == {}
        assert [claim.id for claim in worker.claim()] == [job.id for job in following]

    def test_a_cancelled_or_forgotten_holder_holds_nothing(self, broker: BrokerAdapter, other: BrokerAdapter) -> None:
        """However it ended, and whether or not it is still known."""
        first, second, third = sole(), sole(), sole()
        broker.put([first])
        assert change(broker, "cancel", first.id) == {first.id}
        assert other.put([second]) == {}
        change(broker, "cancel", second.id)
        assert change(broker, "forget", second.id) == {second.id}
        assert other.put([third]) == {}
        last = sole()
        assert other.put([last]) == {last.id: third.id}

    def test_a_poisonous_holder_holds_nothing(self, broker: BrokerAdapter, open_broker: Opener, worker: Worker) -> None:
        """Nobody was left to give its key back."""
        first, second = sole(retries=0), sole()
        broker.put([first])
        Worker(open_broker(lease=BRIEF), "lost").claim_one()
        until(lambda: worker.claim() or state_of(broker, first.id) == "dead", "it was not buried")
        assert broker.put([second]) == {}

    def test_the_end_of_a_former_holder_takes_no_key_away(self, broker: BrokerAdapter, worker: Worker) -> None:
        """A window that ran out while its job ran: the key is its new holder's."""
        first, second, third = sole("key", "window", 0.05), sole(), sole()
        broker.put([first])
        claim = worker.claim_one()
        until(lambda: not broker.put([second]), "the window did not end")
        assert worker.settle(claim)
        assert broker.put([third]) == {third.id: second.id}
        assert change(broker, "forget", first.id) == {first.id}
        assert broker.put([third]) == {third.id: second.id}

    def test_a_window_ends_by_time_alone(self, broker: BrokerAdapter, other: BrokerAdapter, worker: Worker) -> None:
        """Its job's end does not open it, its job's waiting does not keep it shut."""
        first, second, third = sole("ended", "window", LONG), sole("ended"), sole("waits", "window", 0.3)
        began = time.monotonic()
        broker.put([third])
        kept_out = sole("waits")
        assert other.put([kept_out]) == {kept_out.id: third.id} or time.monotonic() - began > 0.3
        broker.put([first])
        for claim in worker.claim():
            worker.settle(claim, "succeeded" if claim.id == first.id else "queued")
        assert other.put([second]) == {second.id: first.id}
        until(lambda: not other.put([kept_out]), "the window did not end")
        assert time.monotonic() - began > 0.3
        assert state_of(broker, third.id) == "queued"

    def test_a_key_is_free_in_the_turn_that_ends_its_job(self, broker: BrokerAdapter, worker: Worker) -> None:
        """The next holder, put while that turn claims other work, is let in."""
        first, second = sole(), sole()
        broker.put([first, new()])
        claims = worker.claim(1)
        turn = worker.turn([ended(claims[0])], free=1)
        assert (list(turn.owned), len(turn.claims)) == ([True], 1)
        assert broker.put([second]) == {}
        assert status_of(broker, second.id).state == "queued"

    def test_one_of_many_at_once_gets_the_key(self, broker: BrokerAdapter, other: BrokerAdapter) -> None:
        """Eight callers in two processes: one job for each key, and all are told the same holder."""
        keys = [f"key-{number}" for number in range(10)]
        calls = [[sole(key) for key in keys] for _ in range(8)]

        def putting(number: int) -> Callable[[], dict[str, str]]:
            adapter = broker if number % 2 else other
            return lambda: dict(persist(adapter.put, calls[number]))

        answers = together([putting(number) for number in range(8)])
        kept = known(broker)
        for position in range(len(keys)):
            ids = [jobs[position].id for jobs in calls]
            (holder,) = kept.intersection(ids)
            assert [answer.get(job_id) for answer, job_id in zip(answers, ids, strict=True)] == [
                None if job_id == holder else holder for job_id in ids
            ]
