"""The broker contract: green on a small broker in memory; red, on the right promise, on each that breaks one."""

from __future__ import annotations

import sys
from uuid import uuid4

import pytest

from postrmagic_core.testing import waiting
from postrmagic_core.testing.contracts import broker_rig
from postrmagic_core.testing.contracts.broker import BrokerContract
from tests.planted import ended
from tests.testing import brokers, brokers_bad

MODULE = """
from uuid import uuid4
import pytest
from postrmagic_core.testing.contracts.broker import BrokerContract
from tests.testing import brokers_bad

def planted(broker, tests):
    class Planted(BrokerContract):
        broker_class = broker

        @pytest.fixture
        def broker_url(self):
            return f"memory://{{uuid4()}}"

    for test in dir(Planted):
        if test.startswith("test_") and test not in tests:
            setattr(Planted, test, None)
    return Planted

for name, bad in brokers_bad.FAMILIES[{family!r}].items():
    globals()["Test" + name] = planted(bad.broker(name), {{"test_" + test.partition("[")[0] for test in bad.tests}})
"""


RIGS = broker_rig.__name__.removesuffix("rig")


class TestGood(BrokerContract):
    """The smallest broker that keeps it."""

    broker_class = brokers.Good

    @pytest.fixture
    def broker_url(self) -> str:
        """A shelf of the test's own."""
        return f"memory://{uuid4()}"


@pytest.mark.soak
@pytest.mark.parametrize("family", brokers_bad.FAMILIES)
def test_each_broken_clause_is_red(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, family: str) -> None:
    """On the tests named for it; that they can be green is shown above."""
    # What never happens need not be waited for any longer, nor a lease that is to end.
    for module in [waiting, *(module for name, module in sys.modules.items() if name.startswith(RIGS))]:
        for name, seconds in (("SOON", 0.5), ("BRIEF", 0.1)):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, seconds)
    seen = ended(pytester, monkeypatch, MODULE.format(family=family))
    for name, bad in brokers_bad.FAMILIES[family].items():
        assert bad.tests <= seen["FAILED"][name], name
