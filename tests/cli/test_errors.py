"""`postrmagic errors`: groups listed, shown and changed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from postrmagic_core.cli.errors import errors as command
from postrmagic_core.cli.errors_told import bars
from postrmagic_core.database import DatabaseManager
from postrmagic_core.observability.errors import ErrorTracker
from tests.cli.in_process import InProcess
from tests.copies import packaged
from tests.observability.errors.rig import cleaned, noted, raised

APPLICATION = """
from postrmagic_core.stack import Stack

stack = Stack.from_env()
"""


@pytest.fixture
def errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InProcess]:
    """The command, for an application with three groups of errors."""
    (tmp_path / "errors_application.py").write_text(APPLICATION)
    (tmp_path / "var").mkdir()
    url = f"sqlite:///{tmp_path}/var/app.db"
    packaged(url)
    cause = raised(ValueError, "no [such] poster\x1b[31m")
    cause.__cause__ = raised(KeyError, 7)
    with DatabaseManager(url) as database, ErrorTracker(database, service="media", release="1.0") as tracker:
        for number in range(8):
            tracker(cleaned(error=cause, fingerprint="bad", request_id=f"r-{number}", job_id="j-1", media_id=7), cause)
        noted(tracker, raised(OSError, "disk full"), fingerprint="disk")
        noted(tracker, fingerprint="plain", event="poster not found")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    here = InProcess(command, "errors_application:stack")
    yield here
    here.forget()


def test_groups_are_listed(errors: InProcess) -> None:
    """With their state, count and place, what they say safe for a terminal."""
    told = errors.run("list").output
    [line] = [line for line in told.splitlines() if "bad" in line]
    for part in ("new", " 8 ", "█", "ValueError: no [such] poster\\x1b[31m", "rig.py:"):
        assert part in line
    assert "\x1b" not in told
    found = errors.json("list", "--search", "DISK")
    assert [(one["fingerprint"], one["count"], one["type"]) for one in found] == [("disk", 1, "OSError")]
    assert sum(found[0]["hours"]) == 1
    assert [one["fingerprint"] for one in errors.json("list", "--limit", "1", "--since", "1h")] != []
    assert errors.json("list", "--state", "resolved") == []
    assert "no such error" in errors.run("list", "--search", "nothing").output


def test_one_is_shown_with_what_leads_on(errors: InProcess) -> None:
    """The newest occurrence: its way, its cause, its fields, its ids."""
    told = errors.run("show", "bad").output
    for part in (
        "no [such] poster",
        "caused by",
        "KeyError: 7",
        "media_id = 7",
        "request_id r-7",
        "jobs show j-1",
        "release 1.0",
    ):
        assert part in told
    assert "\x1b" not in told
    found = errors.json("show", "bad")
    assert (found["count"], found["sample"]["request_id"], found["changes"]) == (8, "r-7", [])
    assert "poster not found" in errors.run("show", "plain").output


def test_states_are_changed_by_whoever_is_logged_in(errors: InProcess) -> None:
    """Each change is shown with who made it."""
    assert "is resolved in 1.1" in errors.run("resolve", "bad", "--release", "1.1").output
    assert errors.json("ignore", "bad", "disk", "--for", "7d", "--more", "100") == {"bad": True, "disk": True}
    found = errors.json("show", "bad")
    assert (found["state"], found["ignored_count"]) == ("ignored", 108)
    assert datetime.fromisoformat(found["ignored_until"]) > datetime.now(UTC)
    assert [change["state"] for change in found["changes"]] == ["resolved", "ignored"]
    assert all(change["by"].startswith("cli") for change in found["changes"])
    told = errors.run("show", "bad").output
    assert "resolved in 1.1, by cli" in told
    assert "for 100 more, by cli" in told
    assert "is new again" in errors.run("reopen", "bad").output
    assert [one["fingerprint"] for one in errors.json("list", "--state", "ignored")] == ["disk"]


def test_deleting_asks_first(errors: InProcess) -> None:
    """Unless it is told not to."""
    assert errors.run("delete", "bad", answer="n\n").exit_code == 1
    assert len(errors.json("list")) == 3
    assert "is forgotten" in errors.run("delete", "bad", answer="y\n").output
    assert errors.json("delete", "disk", "--yes") == {"disk": True}
    assert [one["fingerprint"] for one in errors.json("list")] == ["plain"]


def test_who_is_unknown_or_wrong_is_told_in_a_sentence(errors: InProcess) -> None:
    """Exit status 1, and the others are changed all the same."""
    assert errors.json("resolve", "bad", "nobody", status=1) == {"bad": True, "nobody": False}
    done = errors.run("show", "\x1b[31m")
    assert done.exit_code == 1
    assert "is unknown" in done.output
    assert "\x1b" not in done.output
    done = errors.run("resolve", "bad", "--release", "no such release")
    assert done.exit_code == 1
    assert "expected as a release" in done.output
    assert errors.run("ignore", "bad", "--for", "soon").exit_code == 2
    assert errors.run("list", "--state", "odd").exit_code == 2


def test_bars_are_in_proportion() -> None:
    """The greatest is full, the least that is not nothing is seen."""
    assert bars([0, 1, 4, 8]) == " ▁▄█"
    assert bars([0, 0]) == "  "
    assert bars([1, 1000]) == "▁█"
    assert bars([]) == ""
