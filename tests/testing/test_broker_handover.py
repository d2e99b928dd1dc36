"""The broker contract on ``serve``: red, on the right promise, on each broker that breaks one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from postrmagic_core.jobs.adapter import SqlBroker, Taker
from postrmagic_core.jobs.interface import Claim, NewJob
from tests.planted import expect_red


class Good(SqlBroker):
    """As it is shipped."""


class Early(SqlBroker):
    """Gives what may still be rolled back, to whoever is there."""

    def put_in(self, tx: Any, jobs: Sequence[NewJob]) -> Mapping[str, str]:
        """See the interface."""
        for taker, job in zip(self._takers, jobs, strict=False):
            taker.take(Claim(job.id, job.queue, job.task, job.retries, job.payload, 1, 1, job.headers))
        return super().put_in(tx, jobs)


class Twice(SqlBroker):
    """Gives what waits for others as well."""

    def put_in(self, tx: Any, jobs: Sequence[NewJob]) -> Mapping[str, str]:
        """See the interface."""
        takers, self._takers = self._takers, []
        holders = super().put_in(tx, jobs)
        self._takers = takers
        for taker, job in zip(takers, jobs, strict=False):
            if taker.offer(job.queue) is not None:
                claim = Claim(job.id, job.queue, job.task, job.retries, job.payload, 1, 1, job.headers)
                tx.after_commit(lambda taker=taker, claim=claim: taker.take(claim))
        return holders


class Emptied(SqlBroker):
    """Leaves the headers behind."""

    def serve(self, taker: Taker) -> Any:
        """See the interface."""

        class Without:
            offer = staticmethod(taker.offer)

            @staticmethod
            def take(claim: Claim) -> None:
                """Without them."""
                taker.take(replace(claim, headers=b""))

        return super().serve(Without())


class NeverGone(SqlBroker):
    """Who has stopped is still served."""

    def serve(self, taker: Taker) -> Any:
        """See the interface."""
        self._takers.append(taker)
        return nullcontext()


WHO_RESTS = "who_rests_is_given_the_job_that_was_put"
BAD = {
    "Early": {WHO_RESTS, "nobody_is_given_what_was_rolled_back", "who_is_busy_is_given_nothing"},
    "Twice": {WHO_RESTS, "what_is_not_due_is_given_to_nobody"},
    "Emptied": {WHO_RESTS},
    "NeverGone": {"who_is_busy_is_given_nothing"},
}
MODULE = """
import pytest
from postrmagic_core.testing.contracts.broker import BrokerContract
from tests.testing import test_broker_handover as plants

def planted(broker, tests):
    class Planted(BrokerContract):
        broker_class = broker

        @pytest.fixture
        def broker_url(self, database_url):
            return database_url

    for test in dir(Planted):
        if test.startswith("test_") and test not in tests:
            setattr(Planted, test, None)
    return Planted

for name, tests in {tests}.items():
    globals()["Test" + name] = planted(getattr(plants, name), tests)
"""


@pytest.mark.soak
def test_each_broken_promise_is_red(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the tests named for it; the same are green on the broker that keeps them."""
    expect_red(pytester, monkeypatch, MODULE, BAD)
