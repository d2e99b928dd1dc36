"""The Stack's observability: what settings say wrongly is refused when it opens, and alerts see all that there is."""

from __future__ import annotations

import threading
import traceback
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from postrmagic_core.errors import ConfigurationError
from postrmagic_core.observability.alerts.channels.memory import MemoryChannel
from postrmagic_core.observability.tables import errors
from postrmagic_core.settings import Settings
from postrmagic_core.stack import Stack
from postrmagic_core.testing import FakeClock
from tests.copies import packaged

CANARY = "canary-5ecret"


def make(directory: Path, clock: FakeClock | None = None, **observability: Any) -> Stack:
    """A Stack in a directory of its own, with its tables."""
    packaged(f"sqlite:///{directory}/app.db")
    room = {"data_dir": directory, "environment": "test"}
    return Stack(Settings(stack=room, observability=observability), clock=clock, configure_logging=False)


@pytest.mark.parametrize(
    ("observability", "said"),
    [
        ({"probes": {"site": f"ftp://ann:{CANARY}@example.org/"}}, "the probe site"),
        ({"probes": {"site": f"https://ann:{CANARY}@exa mple.org/"}}, "the probe site .* expected a host"),
        ({"probes": {"site": f"https://example.org/?{CANARY}#timeout=3600"}}, "the probe site .* at most 60 seconds"),
        ({"probes": {"site": f"tcp://ann:{CANARY}@example.org:0"}}, "the probe site .* expected a port"),
        ({"channels": {"ops": f"smtp://ann:{CANARY}@example.org"}}, "alert channel ops"),
        ({"channels": {"ops": f"slack+http://example.org/{CANARY}"}}, "alert channel ops"),
        ({"rules": {"r": {"of": 'metric("x")', "above": "nan"}}}, "alert rule 'r': above is a number"),
        ({"rules": {"r": {"of": 'uptime("site")', "below": 1}}}, "alert rule 'r': .* no probe of that name"),
        ({"rules": {"r": {"of": 'logs("level>=")', "above": 1}}}, "alert rule 'r': "),
    ],
)
def test_what_settings_say_wrongly_is_refused_at_the_start(
    tmp_path: Path, observability: dict[str, Any], said: str
) -> None:
    """By its name, without its URL; nothing is left half open."""
    log = {"search": True}
    packaged(f"sqlite:///{tmp_path}/app.db")
    room = {"data_dir": tmp_path, "environment": "test"}
    stack = Stack(Settings(stack=room, log=log, observability=observability), configure_logging=False)
    before = threading.enumerate()
    with pytest.raises(ConfigurationError, match=said) as caught:
        stack.open()
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert not stack.database.is_open
    assert [thread.name for thread in threading.enumerate() if thread not in before] == []


def test_in_a_test_nothing_is_begun(tmp_path: Path) -> None:
    """No probe is looked at, no rule evaluated: nobody has the duties."""
    before = threading.enumerate()
    with make(tmp_path, probes={"site": "https://example.org/"}) as stack:
        assert not stack.observability.duties.is_open
        names = {thread.name for thread in threading.enumerate() if thread not in before}
    assert not {name for name in names if name.startswith(("postrmagic-dut", "postrmagic-uptime", "postrmagic-alerts"))}


def test_a_flood_of_new_errors_is_told_once(tmp_path: Path, clock: FakeClock) -> None:
    """Whichever of them came last: none is over because others came after it."""
    mail = MemoryChannel()
    with make(tmp_path, clock) as stack:
        alerts = stack.observability.alerts
        alerts.channels["mail"] = mail
        for number in range(6):
            with stack.database.write() as tx:
                tx.execute(insert(errors), [group(clock.now_us(), 200 * number + one) for one in range(200)])
            found = alerts.evaluate()
            alerts.send()
            assert found.resolved == 0
            clock.advance(15)
    assert [one.kind for one in mail.told] == ["firing"]
    assert mail.told[0].note == "and 80 more"


def group(now_us: int, number: int) -> dict[str, Any]:
    """A group of errors that is new."""
    names = ("service", "logger", "kind", "message", "place", "words", "first_release", "last_release")
    texts = dict.fromkeys(names, "x")
    times = {"first_us": now_us, "last_us": now_us + number, "count": 1}
    values = {"fingerprint": f"{number:016x}", "state": "new", "sample": b"{}", "history": b"[]"}
    return texts | times | values


@pytest.fixture
def clock() -> FakeClock:
    """Time that passes when told."""
    return FakeClock()
