"""What the reliability contract of brokers adds to that of everything: red where a broker breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar, Self

import pytest

from postrmagic_core.errors import BackendUnavailable, OutcomeUnknown
from postrmagic_core.jobs.adapters.redis import RedisBroker
from postrmagic_core.jobs.interface import BrokerOptions, Settlement, Turn, Want
from postrmagic_core.testing import waiting
from postrmagic_core.testing.contracts import broker_rig
from postrmagic_core.testing.contracts.broker_reliability import BrokerReliabilityContract
from postrmagic_core.testing.contracts.rig import rigged
from postrmagic_core.testing.servers import RedisServer, require

pytestmark = [pytest.mark.fault, pytest.mark.redis]


class Soothing(RedisBroker):
    """An answer that was lost is none."""

    def turn(self, settlements: Sequence[Settlement], want: Want | None) -> Turn:
        """What is not known did not happen."""
        try:
            return super().turn(settlements, want)
        except OutcomeUnknown:
            return Turn(owned=[False for _ in settlements])


class Clutching(RedisBroker):
    """A lease is long, whatever was asked for."""

    def __init__(self, url: str, options: BrokerOptions) -> None:
        super().__init__(url, BrokerOptions(options.namespace, options.database, 600.0, options.random))


class Eager(RedisBroker):
    """Looks whether its server is there before anybody opened it."""

    @classmethod
    def from_url(cls, url: str, options: BrokerOptions) -> Self:
        """And fails if it is not."""
        broker = super().from_url(url, options)
        broker.counts()
        return broker


def contract_of(broker: type[RedisBroker]) -> BrokerReliabilityContract:
    """The contract on that adapter."""

    class Contract(BrokerReliabilityContract):
        broker_class = broker
        effect_bytes: ClassVar[bytes] = b"EVALSHA"

    return Contract()


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """One that writes what it acknowledges."""
    require(RedisServer.binary(), "no redis-server or valkey-server")
    with RedisServer(appendonly="always") as server:
        yield server


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, server: RedisServer) -> Callable[..., None]:
    """Runs one test of the contract on an adapter; what never happens need not be waited for."""
    for module in (broker_rig, waiting):
        monkeypatch.setattr(module, "SOON", 2.0)

    def run_one(broker: type[RedisBroker], test: str, *arguments: str, on: RedisServer = server) -> None:
        contract = contract_of(broker)
        with rigged(contract, on, contract.budget) as rig:
            getattr(contract, f"test_{test}")(rig, *arguments)

    return run_one


@pytest.mark.parametrize(
    ("broker", "test", "arguments", "error"),
    [
        (Soothing, "p4_a_settlement_whose_answer_is_lost_is_recorded_once", ["close"], AssertionError),
        (Clutching, "p4_claims_whose_answer_is_lost_come_again", ["close"], AssertionError),
        (Eager, "p2_making_an_adapter_asks_nobody", [], BackendUnavailable),
    ],
)
def test_a_broker_that_breaks_it_is_found(
    run: Callable[..., None], broker: type[RedisBroker], test: str, arguments: list[str], error: type[Exception]
) -> None:
    """By the test named; which the shipped adapter passes."""
    run(RedisBroker, test, *arguments)
    with pytest.raises(error):
        run(broker, test, *arguments)


def test_a_server_that_forgets_is_found(run: Callable[..., None], server: RedisServer) -> None:
    """One that writes nothing to its disk loses what it acknowledged, whatever the adapter does."""

    class Careless(RedisBroker):
        """Does not mind."""

        def open(self) -> None:
            """Ask nothing of the server."""

    run(RedisBroker, "p3_what_was_said_survives_a_crash")
    with RedisServer() as forgetful, pytest.raises(AssertionError):
        run(Careless, "p3_what_was_said_survives_a_crash", on=forgetful)
