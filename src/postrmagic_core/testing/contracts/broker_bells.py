"""The broker contract on ``listen``: whoever waits for work is woken, or finds it when he looks in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from postrmagic_core.jobs.interface import BrokerAdapter

from ..waiting import until
from .broker_rig import DELAYS, SOON, Listening, Worker, change, early, new, status_of


class BellPromises:
    """Mixed into :class:`~postrmagic_core.testing.contracts.broker.BrokerContract`."""

    @pytest.mark.parametrize("who", ["broker", "other"])
    @pytest.mark.parametrize("queue", ["q", "r"])
    def test_a_put_rings(
        self, listening: Listening, broker: BrokerAdapter, other: BrokerAdapter, who: str, queue: str
    ) -> None:
        """In the own process and from another, for any of the queues listened to, and again after that."""
        rung, putting = threading.Event(), {"broker": broker, "other": other}[who]
        with listening(broker, ["r", "q"], rung.set):
            for _ in range(2):
                self.rings(rung, lambda: putting.put([new(queue)]))

    def test_a_job_handed_back_rings(
        self, listening: Listening, broker: BrokerAdapter, other: BrokerAdapter, rival: Worker
    ) -> None:
        """It is work for somebody else."""
        rung = threading.Event()
        other.put([new()])
        with listening(broker, ["q"], rung.set):
            self.rings(rung, lambda: rival.settle(rival.claim_one(), "queued"))

    def test_a_replay_rings(
        self, listening: Listening, broker: BrokerAdapter, other: BrokerAdapter, rival: Worker
    ) -> None:
        """Its worker need not wait until it looks by itself."""
        rung, job = threading.Event(), new()
        other.put([job])

        def replay() -> None:
            rival.settle(rival.claim_one(), "dead")
            change(other, "replay", job.id)

        with listening(broker, ["q"], rung.set):
            self.rings(rung, replay)

    def rings(self, rung: threading.Event, act: Callable[[], object]) -> None:
        """A ring may be missed: whether one of many acts is heard."""

        def heard() -> bool:
            act()
            return rung.wait(0.25)

        rung.clear()
        until(heard, "nobody rang")

    def test_two_listeners_are_both_woken(
        self, listening: Listening, broker: BrokerAdapter, other: BrokerAdapter
    ) -> None:
        """Each hears of its queues, in one process and in two; one that ends does not deafen the other."""
        first, second, third = threading.Event(), threading.Event(), threading.Event()
        with listening(broker, ["q"], first.set), listening(other, ["q"], second.set):
            with listening(broker, ["r"], third.set):
                self.rings(first, lambda: other.put([new()]))
                self.rings(second, lambda: other.put([new()]))
                self.rings(third, lambda: other.put([new("r")]))
            self.rings(first, lambda: other.put([new()]))

    @pytest.mark.parametrize("how", ["put", "retried"])
    def test_who_looks_when_rung_or_told_finds_what_is_due(
        self, listening: Listening, broker: BrokerAdapter, other: BrokerAdapter, worker: Worker, how: str
    ) -> None:
        """A delay that ends is found by a worker that waits for the bell, but no longer than to the next due time."""
        rung = threading.Event()
        with listening(broker, ["q"], rung.set):
            job, turn = early(other, worker, how)
            looks, deadline = 0, time.monotonic() + DELAYS[-1] + SOON
            while not turn.claims:
                assert time.monotonic() < deadline
                looks += 1
                rang = rung.wait(SOON if turn.next_due is None else max(0.001, turn.next_due))
                assert rang or turn.next_due is not None, "it was due, and nobody rang or told when to look"
                rung.clear()
                turn = worker.turn()
        status = status_of(broker, job.id)
        assert (status.state, status.worker) == ("running", worker.name)
        assert looks <= 20

    def test_a_listener_ends_promptly(self, listening: Listening, broker: BrokerAdapter, other: BrokerAdapter) -> None:
        """Though nothing ever rang; afterwards nothing rings, and no thread is left waiting."""
        rung = threading.Event()
        threads = []
        broker.put([new()])
        other.put([new()])  # what an adapter begins with its first call is no listener's
        for _ in range(4):
            began = time.monotonic()
            with listening(broker, ["q"], rung.set):
                pass
            assert time.monotonic() - began < 5.0
            threads.append(threading.active_count())
        rung.clear()
        other.put([new()])
        assert not rung.wait(0.2)
        until(lambda: threading.active_count() <= threads[0] + 1, "a thread was left")

    def test_a_listener_ends_where_its_block_fails(
        self, listening: Listening, broker: BrokerAdapter, other: BrokerAdapter
    ) -> None:
        """The error comes out as it was."""
        rung = threading.Event()
        with pytest.raises(ZeroDivisionError), listening(broker, ["q"], rung.set):
            raise ZeroDivisionError
        rung.clear()
        other.put([new()])
        assert not rung.wait(0.2)
