"""The contract of shippers, kept by those that are shipped; broken, by ones made for it, on the right promise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar

import pytest

from postrmagic_core.log.forwarding import http, shipper_for, syslog
from postrmagic_core.testing import waiting
from postrmagic_core.testing.contracts import log_shipper
from postrmagic_core.testing.contracts.log_shipper import Inlet, ShipperContract
from tests.log.forwarding import bad_shippers
from tests.log.forwarding.otel import OtlpReceiver
from tests.log.forwarding.receivers import HttpReceiver
from tests.log.forwarding.rsyslog import Rsyslog
from tests.planted import ended


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole time-out is proven elsewhere; here a twentieth of it."""
    monkeypatch.setattr(http, "WHOLE", 0.5)
    monkeypatch.setattr(syslog, "WHOLE", 0.5)


class TestNdjson(ShipperContract):
    """Lines by HTTP."""

    @pytest.fixture
    def inlet(self, receiver: HttpReceiver) -> Inlet:
        """A server of the standard library."""
        return Inlet(
            lambda: shipper_for(receiver.url),
            lambda: receiver.texts,
            receiver.away,
            receiver.silence,
            lambda: receiver.answering(400),
        )


class TestOtlp(ShipperContract):
    """Log records of OpenTelemetry."""

    @pytest.fixture
    def inlet(self, receiver: HttpReceiver) -> Inlet:
        """The same, which understands protobuf."""
        otlp = OtlpReceiver(receiver)
        return Inlet(
            lambda: shipper_for(f"otlp+{receiver.url}"),
            lambda: otlp.texts,
            receiver.away,
            receiver.silence,
            lambda: receiver.answering(400),
        )


class TestSyslogOverTcp(ShipperContract):
    """A connection to rsyslog."""

    not_applicable: ClassVar[Mapping[str, str]] = {
        "silence": "syslog never answers: what the kernel of the receiver took counts",
        "refusal": "syslog never answers",
    }

    @pytest.fixture
    def inlet(self, rsyslog: Rsyslog) -> Inlet:
        """A real one."""

        @contextmanager
        def down() -> Iterator[None]:
            rsyslog.stop()
            yield
            rsyslog.start()

        return Inlet(lambda: shipper_for(rsyslog.url), lambda: rsyslog.texts, down)


class TestSyslogOverUdp(ShipperContract):
    """Datagrams to rsyslog."""

    not_applicable: ClassVar[Mapping[str, str]] = {
        "outage": "a datagram that nobody takes is lost, and nobody hears of it",
        "silence": "nobody answers a datagram",
        "refusal": "nobody answers a datagram",
    }

    @pytest.fixture
    def inlet(self, rsyslog: Rsyslog) -> Inlet:
        """A real one."""
        return Inlet(lambda: shipper_for(rsyslog.url.replace("tcp", "udp")), lambda: rsyslog.texts)


class TestGood(ShipperContract):
    """The smallest shipper that keeps it."""

    @pytest.fixture
    def inlet(self) -> Inlet:
        """A list of the class's."""
        return bad_shippers.inlet(bad_shippers.Good)


MODULE = """
import pytest
from postrmagic_core.testing.contracts.log_shipper import ShipperContract
from tests.log.forwarding import bad_shippers

def planted(kind):
    class Planted(ShipperContract):
        @pytest.fixture
        def inlet(self):
            return bad_shippers.inlet(kind)

    for test in dir(Planted):
        if test.startswith("test_") and test.removeprefix("test_") not in kind.broken:
            setattr(Planted, test, None)
    return Planted

for name, kind in bad_shippers.BAD.items():
    globals()["Test" + name] = planted(kind)
"""


def test_each_broken_promise_is_red(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the tests named for it; that they can be green is shown above."""
    monkeypatch.setattr(log_shipper, "PROMPT", 0.5)
    monkeypatch.setattr(waiting, "SOON", 0.3)
    seen = ended(pytester, monkeypatch, MODULE)
    for file in bad_shippers.Leaking.left:
        file.close()
    assert seen["FAILED"] == {name: kind.broken for name, kind in bad_shippers.BAD.items()}
    assert not seen["PASSED"]
