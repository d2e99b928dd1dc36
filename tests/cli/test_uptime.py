"""`postrmagic uptime`: what is up, what was down, and a look right now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from postrmagic_core.cli import uptime_told
from postrmagic_core.cli.uptime import uptime as command
from postrmagic_core.database import DatabaseManager
from postrmagic_core.observability.uptime import Hour, Uptime, probe
from postrmagic_core.testing import FakeClock
from tests.cli.in_process import InProcess
from tests.copies import packaged
from tests.observability.uptime.targets import Target, free_port, http, target

CANARY = "canary-5ecret"
APPLICATION = """
from postrmagic_core.observability.uptime import Uptime, probe
from postrmagic_core.stack import Stack

stack = Stack.from_env()
probes = [probe(name, url) for name, url in {probes!r}.items()]
stack.observability.uptime = Uptime(stack.database, probes=probes)
"""


@pytest.fixture
def server() -> Iterator[Target]:
    """A site that is up."""
    with target(http()) as made:
        yield made


@pytest.fixture
def uptime(server: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InProcess]:
    """The command, for an application with two probes, one of which was down an hour ago."""
    probes = {
        "site": f"http://ann:{CANARY}@127.0.0.1:{server.port}/?token={CANARY}",
        "gone": f"tcp://127.0.0.1:{free_port()}",
    }
    (tmp_path / "uptime_application.py").write_text(APPLICATION.format(probes=probes))
    (tmp_path / "var").mkdir()
    url = f"sqlite:///{tmp_path}/var/app.db"
    packaged(url)
    now = datetime.now(UTC)
    clock = FakeClock(now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1))
    with DatabaseManager(url) as database:
        opened = Uptime(database, probes=[probe("site", probes["site"])], clock=clock)
        for status in (200, 200, 500, 500, 500, 200, 200):
            server.answer = http(status)
            opened.check("site")
            clock.advance(60)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    here = InProcess(command, "uptime_application:stack")
    yield here
    here.forget()


def test_each_probe_is_shown(uptime: InProcess, server: Target) -> None:
    """How it stands, since when, a block for each hour, and nothing secret."""
    told = uptime.run("status").output
    [site] = [line for line in told.splitlines() if "site" in line]
    [gone] = [line for line in told.splitlines() if "gone" in line]
    for part in ("unknown", "·" * 22 + "▅·", "57.142%", f"http://127.0.0.1:{server.port}/", "recovers in 3m"):
        assert part in site
    assert "unknown" in gone
    assert "·" * 24 in gone
    assert CANARY not in told
    [one, other] = uptime.json("status")
    assert (one["name"], one["up"], round(one["availability_day"], 3), other["last_at"]) == ("site", None, 0.571, None)
    assert one["hours"][-2:] == [0.5, None]
    assert CANARY not in uptime.run("status", "--json").output


def test_looking_now_tells_and_writes_down(uptime: InProcess) -> None:
    """Exit status 1 if anything is not as it should be."""
    done = uptime.run("check")
    assert done.exit_code == 1
    assert "the connection was refused" in done.output
    assert CANARY not in done.output
    assert uptime.run("check", "site").exit_code == 0
    [found] = uptime.json("check", "gone", status=1)
    assert (found["probe"], found["ok"], found["error"]) == ("gone", False, "the connection was refused")
    assert [(one["name"], one["up"]) for one in uptime.json("status")] == [("site", True), ("gone", False)]
    assert "down" in uptime.run("status").output


def test_days_and_outages_are_shown(uptime: InProcess) -> None:
    """A line for each day, a line for each outage, the newest first."""
    told = uptime.run("history", "site").output
    assert any("▅" in line and "3 of 7" in line for line in told.splitlines())
    found = uptime.json("history", "site", "--since", "2h")
    assert [hour["checks"] for hour in found][-2:] == [7, 0]
    told = uptime.run("outages").output
    assert "it answered 500" in told
    assert "3m" in told
    [outage] = uptime.json("outages", "site")
    assert outage["seconds"] == 180
    uptime.run("check", "gone")
    uptime.run("check", "gone")
    assert "still" in uptime.run("outages", "--limit", "1").output
    assert "no outage is known" not in uptime.run("outages", "gone").output


def test_who_is_unknown_is_told_in_a_sentence(uptime: InProcess) -> None:
    """With the probes that there are."""
    for arguments in (["check", "\x1b[31m"], ["history", "nobody"], ["outages", "nobody"]):
        done = uptime.run(*arguments)
        assert done.exit_code == 1
        assert "site, gone" in done.output
        assert "\x1b" not in done.output
    for since in ("soon", "99999999d"):
        assert uptime.run("history", "site", "--since", since).exit_code == 2


def test_an_application_without_probes_says_so(
    uptime: InProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And how to set some; nothing is down there."""
    (tmp_path / "uptime_application.py").write_text(APPLICATION.format(probes={}))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    for cached in tmp_path.glob("__pycache__/uptime_application.*"):
        cached.unlink()
    assert "POSTRMAGIC_OBSERVABILITY__PROBES" in uptime.run("status").output
    assert uptime.run("check").exit_code == 0
    assert uptime.json("status") == []


def test_shares_are_never_rounded_up_to_all() -> None:
    """Nor is a moment's outage lost in an hour's block."""
    told = [uptime_told.percent(share) for share in (None, 1.0, 0.999999, 0.5, 0.0)]
    assert told == ["-", "100%", "99.999%", "50.000%", "0.000%"]
    at = datetime(2026, 1, 1, 22, tzinfo=UTC)
    hours = [
        Hour(at + timedelta(hours=number), 3600, down, 60, 1, 1.0, 2.0) for number, down in enumerate((0, 1, 3000, 0))
    ]
    assert uptime_told.blocks(hours).plain == "█▅▂█"
    console = Console(width=120, record=True)
    console.print(uptime_told.days([*hours, Hour(at + timedelta(hours=4), 0, 0, 0, 0, None, None)]))
    lines = [line for line in console.export_text().splitlines() if "2026-" in line]
    assert [line.count("█") for line in lines] == [1, 1]
    assert "▂█·" in lines[1]
