"""The channel contract: green on a small channel in memory; red, on the right promise, on each that breaks one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import uuid4

import pytest

from postrmagic_core.testing import waiting
from postrmagic_core.testing.contracts import channel_ends, channel_rig, channel_slow
from postrmagic_core.testing.contracts.channel import ChannelContract
from tests.planted import ended
from tests.testing import channels, channels_bad

MODULE = """
from uuid import uuid4
import pytest
from postrmagic_core.testing.contracts.channel import ChannelContract
from tests.testing import channels_bad

def planted(channel, tests):
    class Planted(ChannelContract):
        channel_class = channel
        not_applicable = {{"processes": "it lives in one process"}}

        @pytest.fixture
        def channel_url(self):
            return f"memory://{{uuid4()}}"

    for test in dir(Planted):
        if test.startswith("test_") and test not in tests:
            setattr(Planted, test, None)
    return Planted

for name, bad in channels_bad.FAMILIES[{family!r}].items():
    globals()["Test" + name] = planted(bad.channel(name), {{"test_" + test.partition("[")[0] for test in bad.tests}})
"""


class TestGood(ChannelContract):
    """The smallest channel that keeps it."""

    channel_class: ClassVar[type[Any]] = channels.Good
    not_applicable: ClassVar[Mapping[str, str]] = {"processes": "it lives in one process"}

    @pytest.fixture
    def channel_url(self) -> str:
        """A room of the test's own."""
        return f"memory://{uuid4()}"


@pytest.mark.soak
@pytest.mark.parametrize("family", channels_bad.FAMILIES)
def test_each_broken_clause_is_red(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, family: str) -> None:
    """On the tests named for it; that they can be green is shown above."""
    # What never happens need not be waited for any longer.
    for module in (channel_rig, waiting):
        monkeypatch.setattr(module, "SOON", 1.5)
    for module in (channel_rig, channel_ends, channel_slow):
        monkeypatch.setattr(module, "PROMPT", 1.0)
    seen = ended(pytester, monkeypatch, MODULE.format(family=family))
    for name, bad in channels_bad.FAMILIES[family].items():
        assert bad.tests <= seen["FAILED"][name], name
