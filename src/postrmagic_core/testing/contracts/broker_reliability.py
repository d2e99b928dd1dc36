"""The reliability promises of a broker on a server."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import pytest

from postrmagic_core._protocols import Units
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import OutcomeUnknown
from postrmagic_core.jobs.interface import ENDED, LIVE, BrokerAdapter, BrokerOptions, Selection

from .broker_rig import Worker, change, new, persist, record_of, state_of, status_of
from .reliability import ReliabilityContract
from .rig import Budget, Rig

LEASE = 0.3
_EVERYTHING = Selection(states=LIVE | ENDED, limit=1_000_000)


@dataclass(frozen=True)
class Client:
    """An adapter, and what is closed with it."""

    broker: BrokerAdapter
    opened: ExitStack


class BrokerReliabilityContract(ReliabilityContract[Client]):
    """The reliability promises for a broker on a server: a subclass supplies ``broker_class`` and ``server``.

    It says at which bytes of a request the proxy may cut: ``effect_bytes`` occurs in those of ``put`` and ``turn``. An
    adapter that keeps rows overrides :meth:`units` and :meth:`prepare`.
    """

    broker_class: ClassVar[type[Any]]
    budget: ClassVar[Budget] = Budget(call=4.0)
    not_applicable: ClassVar[Mapping[str, str]] = {"cancel": "an adapter has no async face: tasks wait for a thread"}

    def units(self, url: str, opened: ExitStack) -> Units:
        """Override for an adapter that keeps rows: the open database at ``url``, closed with ``opened``.

        It waits a fraction of a second for anything.
        """
        directory = opened.enter_context(TemporaryDirectory(prefix="postrmagic-contract-"))
        return opened.enter_context(DatabaseManager(f"sqlite:///{directory}/app.db"))

    def prepare(self, url: str) -> None:
        """Let the server learn what it is asked, so that one request carries out one effect.

        An adapter that keeps rows makes its tables before.
        """
        client = persist(self.make, url)  # impatient, and no promise of these: a busy machine may need another try
        persist(client.broker.put, [new("prepared")])
        worker = Worker(client.broker)
        for claim in persist(lambda: worker.claim(queues=["prepared"])):
            persist(worker.settle, claim)
        prepared = [record.status.id for record in persist(client.broker.records, _EVERYTHING)]
        persist(change, client.broker, "forget", *prepared)
        self.close(client)

    def make(self, url: str) -> Client:
        """Open an adapter."""
        opened = ExitStack()
        options = BrokerOptions("contract", self.units(url, opened), LEASE, random.random)
        broker: BrokerAdapter = self.broker_class.from_url(url, options)
        opened.callback(broker.close)
        try:
            broker.open()
        except BaseException:
            opened.close()
            raise
        return Client(broker, opened)

    def close(self, subject: Client) -> None:
        """Close the adapter."""
        subject.opened.close()

    def operation(self, subject: Client) -> object:
        """Look for a job that there is not."""
        return subject.broker.records(Selection(ids=["none"]))

    def effect(self, subject: Client, token: str) -> object:
        """Enqueue a job that says the token; done twice it would be another job."""
        return subject.broker.put([new("effects", payload=token.encode())])

    def effects(self, subject: Client) -> Counter[str]:
        """The tokens of all jobs."""
        return Counter(record.payload.decode() for record in subject.broker.records(_EVERYTHING))

    def tagged(self, subject: Client, tag: str) -> str:
        """Enqueue a job that says the tag, and look for it."""
        job = new("tags", payload=tag.encode())
        subject.broker.put([job])
        record = record_of(subject.broker, job.id)
        assert record is not None
        return record.payload.decode()

    def decide(self, subject: Client) -> bool:
        """Ask for a job to run that there is."""
        subject.broker.put([new()])
        return bool(Worker(subject.broker).claim(1))

    @pytest.mark.promise("P4")
    @pytest.mark.parametrize("how", ["close", "reset", "hang"])
    def test_p4_claims_whose_answer_is_lost_come_again(self, rig: Rig[Any], how: str) -> None:
        """To whoever asks next, when their leases end: nobody is left holding what he never heard of."""
        job, healthy = new(), self.make(rig.url)
        try:
            healthy.broker.put([job])
            with rig.caller() as caller:
                rig.proxy.cut(on=self.effect_bytes, how=how)  # type: ignore[arg-type]  # a name from a parameter list
                answer = caller.call(lambda client: Worker(client.broker, "deaf").claim(), self.patience)
                rig.proxy.heal()
                assert answer.error is None or isinstance(answer.error, OutcomeUnknown), answer
                if not answer.value:
                    claim = Worker(healthy.broker, "worker").await_one()
                    assert (claim.id, claim.attempt) == (job.id, 2)
        finally:
            self.close(healthy)

    @pytest.mark.promise("P4")
    @pytest.mark.parametrize("how", ["close", "reset", "hang"])
    def test_p4_a_settlement_whose_answer_is_lost_is_recorded_once(self, rig: Rig[Any], how: str) -> None:
        """The worker may say it again, and is told that it held no more; another one's words do not replace it."""
        job, healthy = new(retries=5), self.make(rig.url)
        try:
            healthy.broker.put([job])
            claim = Worker(healthy.broker).claim_one()
            with rig.caller() as caller:
                rig.proxy.cut(on=self.effect_bytes, how=how)  # type: ignore[arg-type]  # a name from a parameter list
                answer = caller.call(lambda client: Worker(client.broker).settle(claim, result=b"1"), self.patience)
                rig.proxy.heal()
                assert answer.value is True or isinstance(answer.error, OutcomeUnknown), answer
                again = caller.call(lambda client: Worker(client.broker).settle(claim, "dead"), self.patience)
                assert again.error is None, again
                assert again.value is False
            record = record_of(healthy.broker, job.id)
            assert record is not None
            assert (record.status.state, record.status.attempts, record.result) == ("succeeded", 1, b"1")
        finally:
            self.close(healthy)

    @pytest.mark.promise("P3")
    def test_p3_what_was_said_survives_a_crash(self, rig: Rig[Any]) -> None:
        """Jobs that wait, that run, that ended and that were cancelled are after it what they were before."""
        if not self.durable:
            pytest.skip("the server may forget what it acknowledged")
        client = self.make(rig.url)
        try:
            worker = Worker(client.broker)
            jobs = [new(), new(), new(), new(unique=None, payload=b"waits")]
            client.broker.put(jobs)
            done, failed, runs = worker.claim(3)
            assert worker.settle(done, result=b"r")
            assert worker.settle(failed, "dead", reason="given_up")
            change(client.broker, "cancel", runs.id)
            rig.server.kill()
            rig.server.start()
        finally:
            self.close(client)
        client = self.make(rig.url)
        try:
            broker = client.broker
            states = [state_of(broker, job.id) for job in jobs]
            assert states == ["succeeded", "dead", "running", "queued"]
            assert status_of(broker, runs.id).cancelling is True
            claims = {claim.id: claim for claim in Worker(broker, "worker-2").await_claims(1)}
            assert set(claims) <= {runs.id, jobs[3].id}
        finally:
            self.close(client)

    @pytest.mark.promise("P2")
    def test_p2_making_an_adapter_asks_nobody(self, rig: Rig[Any]) -> None:
        """A URL is only read: an application starts while its broker does not answer."""
        with ExitStack() as opened, rig.fault("refused"):
            options = BrokerOptions("contract", self.units(rig.proxy.url, opened), LEASE, random.random)
            self.broker_class.from_url(rig.proxy.url, options).close()

    @property
    def patience(self) -> float:
        """Seconds that a call may take."""
        return self.budget.call + self.budget.slack
