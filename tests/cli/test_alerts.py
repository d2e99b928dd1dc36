"""`postrmagic alerts`: what fires, what is silenced, who looks at it, and trying a channel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from postrmagic_core.cli.alerts import alerts as command
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import BackendRejected
from postrmagic_core.observability.alerts import Alerts, Reading, Threshold
from postrmagic_core.observability.alerts.channels.memory import MemoryChannel
from tests.cli.in_process import InProcess
from tests.copies import packaged

APPLICATION = """
from postrmagic_core.observability.alerts import Absence, Alerts, RateOfChange, Threshold, metric, Sources
from postrmagic_core.observability.alerts.channels.memory import MemoryChannel
from postrmagic_core.stack import Stack

stack = Stack.from_env()
broken = MemoryChannel()
broken.error = ConnectionError("https://s3cret@example.org")
stack.observability.alerts = Alerts(
    stack.database,
    rules=[
        Threshold("full", list, above=1, for_=120, channels=("mail",)),
        RateOfChange("grows", metric("memory_bytes"), by=0.5, severity="info"),
        Absence("silent", metric("jobs_per_second"), for_=60),
    ],
    sources=Sources(series=dict),
    channels={"mail": MemoryChannel(), "hook": broken},
)
"""


@pytest.fixture
def alerts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InProcess]:
    """The command, for an application with an alert that fires, and a channel that refused it."""
    (tmp_path / "alerts_application.py").write_text(APPLICATION)
    (tmp_path / "var").mkdir()
    url = f"sqlite:///{tmp_path}/var/app.db"
    packaged(url)
    refusing = MemoryChannel()
    refusing.error = BackendRejected("it answered 410")
    rule = Threshold("full", lambda: [Reading({"host": "[a]\x1b[31m"}, 5.0)], above=1, summary="{host} is full")
    with DatabaseManager(url) as database:
        made = Alerts(database, rules=[rule], channels={"mail": MemoryChannel(), "hook": refusing})
        made.evaluate()
        made.send()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    here = InProcess(command, "alerts_application:stack")
    yield here
    here.forget()


def test_what_fires_is_listed(alerts: InProcess) -> None:
    """With what is wrong, safe for a terminal, and who was told."""
    told = alerts.run("list").output
    for part in ("firing", "warning", "full: [a] [31m is full", "host=[a]\\x1b[31m", "hook, mail"):
        assert part in told
    assert "\x1b" not in told
    [found] = alerts.json("list", "--state", "firing")
    assert (found["rule"], found["value"], found["channels"]) == ("full", 5.0, ["hook", "mail"])
    assert alerts.json("list", "--state", "pending") == []
    assert "no alert is resolved" in alerts.run("list", "--state", "resolved").output


def test_what_became_of_it_is_listed(alerts: InProcess) -> None:
    """The newest first, a page at a time."""
    [found] = alerts.json("history")
    assert (found["became"], found["rule"]) == ("firing", "full")
    assert "firing" in alerts.run("history").output
    assert "nothing has fired yet" in alerts.run("history", "--after", found["cursor"]).output
    assert alerts.run("history", "--after", "x").exit_code == 1


def test_rules_are_listed(alerts: InProcess) -> None:
    """What each looks at, and when it is broken."""
    told = alerts.run("rules").output
    for part in ("list > 1", "2m", 'metric("memory_bytes") changes by more than +50% within 10m', "is absent", "all"):
        assert part in told
    found = alerts.json("rules")
    assert [(one["kind"], one["name"], one["for"]) for one in found] == [
        ("Threshold", "full", 120.0),
        ("RateOfChange", "grows", 0.0),
        ("Absence", "silent", 60.0),
    ]


def test_it_is_silenced_and_no_more(alerts: InProcess) -> None:
    """By rule and label; what is no silence is refused."""
    made = alerts.json("silence", "--for", "2h", "--rule", "full", "--label", "host=a=b", "--comment", "disk is coming")
    assert made["labels"] == {"host": "a=b"}
    assert made["by"].startswith("cli")
    assert "disk is coming" in alerts.run("silences").output
    assert [one["id"] for one in alerts.json("silences")] == [made["id"]]
    assert "has ended" in alerts.run("unsilence", made["id"]).output
    assert alerts.json("unsilence", made["id"], status=1)["done"] is False
    assert "nothing is silenced" in alerts.run("silences").output
    assert alerts.run("silence", "--for", "2h").exit_code == 1
    assert alerts.run("silence", "--for", "2h", "--label", "host").exit_code == 1
    for span in ("2", "999999999999d"):
        assert alerts.run("silence", "--for", span, "--rule", "full").exit_code == 2
    assert "holds until" in alerts.run("silence", "--for", "1d", "--rule", "full").output
    assert alerts.json("list")[0]["silenced"] is True


def test_somebody_looks_at_it(alerts: InProcess) -> None:
    """The list says who."""
    [found] = alerts.json("list")
    assert alerts.json("ack", found["id"])["done"] is True
    assert "looks at it" in alerts.run("list").output
    done = alerts.run("ack", "nothing")
    assert (done.exit_code, "does not fire" in done.output) == (1, True)


def test_what_was_refused_is_listed(alerts: InProcess) -> None:
    """With the reason, and an exit status that says so."""
    [found] = alerts.json("undelivered", status=1)
    assert (found["channel"], found["error"]) == ("hook", "BackendRejected: it answered 410")
    assert "it answered 410" in alerts.run("undelivered").output


def test_a_channel_is_tried(alerts: InProcess) -> None:
    """What is wrong is said without a secret."""
    assert "channel mail told it" in alerts.run("test", "mail").output
    done = alerts.run("test", "hook")
    assert done.exit_code == 1
    assert "ConnectionError" in done.output
    assert "s3cret" not in done.output
    assert alerts.json("test", "mail")["done"] is True
    assert "known are hook, mail" in alerts.run("test", "nobody").output
