"""The broker contract on what happens at one moment in several processes and threads."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from postrmagic_core.jobs.interface import Beat, BrokerAdapter, Claim, Selection, Settlement

from .broker_rig import BRIEF, SOON, Opener, Worker, change, ended, known, new, persist, state_of, status_of, together


class RacePromises:
    """Mixed into :class:`~postrmagic_core.testing.contracts.broker.BrokerContract`."""

    def test_each_job_is_delivered_once(self, broker: BrokerAdapter, other: BrokerAdapter) -> None:
        """Eight workers in two processes, settling and claiming in one turn, and four hundred jobs put meanwhile."""
        jobs = [new() for _ in range(400)]
        delivered: list[Claim] = []
        enough = threading.Event()

        def work(number: int) -> list[bool]:
            worker, owned = Worker(other if number % 2 else broker, f"worker-{number}"), list[bool]()
            settlements: list[Settlement] = []
            deadline = time.monotonic() + 3 * SOON
            while not enough.is_set() or settlements:
                assert time.monotonic() < deadline, f"{len(delivered)} of {len(jobs)} were delivered"
                turn = persist(worker.turn, settlements, free=6)
                owned += turn.owned
                delivered.extend(turn.claims)
                settlements = [ended(claim) for claim in turn.claims]
                if len(delivered) >= len(jobs):
                    enough.set()
            return owned

        def put() -> list[bool]:
            for start in range(0, len(jobs), 50):
                persist(broker.put, jobs[start : start + 50])
            return []

        workers: list[Callable[[], list[bool]]] = [partial(work, number) for number in range(8)]
        owned = together([put, *workers])
        assert Counter(claim.id for claim in delivered) == Counter(job.id for job in jobs)
        assert {claim.attempt for claim in delivered} == {1}
        assert Counter(owned_one for answers in owned for owned_one in answers) == {True: len(jobs)}
        done = {record.status.id for record in broker.records(Selection(states=["succeeded"], limit=1_000))}
        assert done == {job.id for job in jobs}

    def test_a_job_put_by_many_at_once_is_one(self, broker: BrokerAdapter, other: BrokerAdapter) -> None:
        """Each id once, as one of them said it."""
        jobs = [new() for _ in range(20)]

        def putting(number: int) -> Callable[[], object]:
            adapter, own = (broker, other)[number % 2], [replace(job, payload=b"%d" % number) for job in jobs]
            return lambda: persist(adapter.put, own)

        together([putting(number) for number in range(6)])
        assert known(broker) == {job.id for job in jobs}
        assert len(Worker(broker).claim()) == len(jobs)

    def test_cancelling_and_claiming_has_one_winner(self, broker: BrokerAdapter, other: BrokerAdapter) -> None:
        """Either the job never runs, or it runs and was asked to end: never both, never neither."""
        jobs = [new() for _ in range(60)]
        broker.put(jobs)
        worker = Worker(other)

        def cancel() -> set[str]:
            return {job_id for job in jobs for job_id in persist(change, broker, "cancel", job.id)}

        def claim() -> set[str]:
            return {claim.id for _ in jobs for claim in persist(worker.claim, 1)}

        cancelled, claimed = together([cancel, claim])
        assert cancelled == {job.id for job in jobs}
        for job in jobs:
            status = status_of(broker, job.id)
            seen = (status.state, status.cancelling, status.attempts)
            assert seen == (("running", True, 1) if job.id in claimed else ("cancelled", False, 0))

    def test_cancelling_and_settling_has_one_winner(self, broker: BrokerAdapter, other: BrokerAdapter) -> None:
        """A job that its worker ended has ended so, whether or not somebody asked it to at that moment."""
        worker = Worker(other)
        broker.put([new() for _ in range(40)])
        claims = worker.claim()

        def settle() -> list[bool]:
            return [persist(worker.settle, claim) for claim in claims]

        def cancel() -> list[bool]:
            return [bool(persist(change, broker, "cancel", claim.id)) for claim in claims]

        owned, _ = together([settle, cancel])
        assert owned == [True] * len(claims)
        assert {state_of(broker, claim.id) for claim in claims} == {"succeeded"}

    def test_replaying_is_done_once(self, broker: BrokerAdapter, other: BrokerAdapter, worker: Worker) -> None:
        """Of two operators who replay the same letters one is told each, and each runs once."""
        broker.put([new() for _ in range(40)])
        claims = worker.claim()
        worker.turn([ended(claim, "dead") for claim in claims], free=0)

        def replaying(adapter: BrokerAdapter) -> Callable[[], Sequence[str]]:
            return lambda: persist(adapter.alter, "replay", Selection(states=["dead"]))

        told = together([replaying(broker), replaying(other)])
        assert sorted([*told[0], *told[1]]) == sorted(claim.id for claim in claims)
        assert Counter(claim.id for claim in worker.claim()) == Counter(claim.id for claim in claims)

    def test_an_abandoned_job_is_taken_once(
        self, broker: BrokerAdapter, other: BrokerAdapter, open_broker: Opener
    ) -> None:
        """However many look for it at the moment its lease ends, one has it, and the former can no more settle it."""
        lost = Worker(open_broker(lease=BRIEF), "lost")
        broker.put([new() for _ in range(12)])
        former = lost.claim()
        taken: list[Claim] = []

        def take(number: int) -> None:
            worker = Worker((broker, other)[number % 2], f"worker-{number}")
            deadline = time.monotonic() + SOON
            while len(taken) < len(former) and time.monotonic() < deadline:
                taken.extend(persist(worker.claim, 2))

        together([partial(take, number) for number in range(6)])
        assert Counter(claim.id for claim in taken) == Counter(claim.id for claim in former)
        assert {claim.attempt for claim in taken} == {2}
        assert [persist(lost.settle, claim) for claim in former] == [False] * len(former)

    def test_a_late_settlement_and_a_new_claim_have_one_winner(
        self, broker: BrokerAdapter, other: BrokerAdapter, open_broker: Opener
    ) -> None:
        """When the lease ends both come: the job is settled, or delivered anew, never both."""
        lost, rival = Worker(open_broker(lease=0.2), "lost"), Worker(other)
        broker.put([new() for _ in range(30)])
        claims = lost.claim()
        fences = {claim.id: claim.fence for claim in claims}
        renewed = time.monotonic()
        lost.broker.renew([Beat(claim) for claim in claims])

        def settle() -> list[str]:
            time.sleep(max(0.0, renewed + 0.2 - time.monotonic()))
            return [claim.id for claim in claims if persist(lost.settle, claim)]

        def take() -> list[str]:
            deadline, taken = time.monotonic() + SOON, list[str]()
            while time.monotonic() < deadline and broker.records(Selection(states=["running"], limit=1)):
                for claim in persist(rival.claim, 1):
                    assert claim.fence > fences[claim.id]
                    taken.append(claim.id)
                    assert persist(rival.settle, claim)
            return taken

        settled, taken = together([settle, take])
        assert sorted(settled + taken) == sorted(fences)
