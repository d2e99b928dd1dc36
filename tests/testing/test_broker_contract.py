"""The broker contract: green on a small broker in memory; red, on the right promise, on each that breaks one."""

from __future__ import annotations

import re
from collections import defaultdict
from uuid import uuid4

import pytest

from postrmagic_core.testing.contracts import broker_bells, broker_races, broker_rig
from postrmagic_core.testing.contracts.broker import BrokerContract
from tests.testing import brokers, brokers_bad

MODULE = """
from uuid import uuid4
import pytest
from postrmagic_core.testing.contracts import broker_bells, broker_races, broker_rig
from postrmagic_core.testing.contracts.broker import BrokerContract
from tests.testing import brokers, brokers_bad

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


class TestGood(BrokerContract):
    """The smallest broker that keeps it."""

    broker_class = brokers.Good

    @pytest.fixture
    def broker_url(self) -> str:
        """A shelf of the test's own."""
        return f"memory://{uuid4()}"


@pytest.mark.parametrize("family", brokers_bad.FAMILIES)
def test_each_broken_clause_is_red(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, family: str) -> None:
    """On the tests named for it; that they can be green is shown above."""
    for module in (broker_rig, broker_bells, broker_races):
        monkeypatch.setattr(module, "SOON", 0.8)  # what never happens need not be waited for any longer
    # In continuous integration pytest would compare whole lists of claims, which takes it minutes for the long ones.
    monkeypatch.delenv("CI", raising=False)
    pytester.makepyfile(MODULE.format(family=family))
    # What hangs without its guard fails by itself, and not the trial of all of them.
    ran = pytester.runpytest_inprocess("-q", "-rA", "--tb=no", "-p", "no:cacheprovider", "-o", "timeout=30")
    seen: defaultdict[str, set[str]] = defaultdict(set)
    for state, name, test in re.findall(
        r"^(FAILED|ERROR) \S+?::Test(\w+)::test_(.+?)(?: - .*)?$", ran.stdout.str(), re.M
    ):
        assert state == "FAILED", f"{name}: {test}"
        seen[name].add(test)
    for name, bad in brokers_bad.FAMILIES[family].items():
        assert bad.tests <= seen[name], name
