"""`postrmagic experience`: features, answers and pages, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from postrmagic_core._crypto import KeyRing
from postrmagic_core._metrics import Metrics
from postrmagic_core.cli.experience import experience as command
from postrmagic_core.database import DatabaseManager
from postrmagic_core.observability.experience import Experience
from postrmagic_core.observability.metrics import MetricsHub
from postrmagic_core.stack import Stack
from postrmagic_core.testing.capture import embedded_settings
from tests.cli.in_process import InProcess
from tests.copies import packaged

KEYS = KeyRing(["a7Rk2mQ9xW4vT1pL8sD3fG6hJ0zXcVbN"])
APPLICATION = """
from pathlib import Path

from postrmagic_core.stack import Stack
from postrmagic_core.testing.capture import embedded_settings

stack = Stack(embedded_settings(Path("var").resolve()), configure_logging=False)
"""


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InProcess]:
    """The command, for an application of which nothing is known yet."""
    (tmp_path / "experience_application.py").write_text(APPLICATION)
    (tmp_path / "var").mkdir()
    packaged(embedded_settings(tmp_path / "var").database_url())
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    here = InProcess(command, "experience_application:stack")
    yield here
    here.forget()


@pytest.fixture
def filled(told: InProcess, tmp_path: Path) -> InProcess:
    """The same, with uses, answers and page loads."""
    settings, metrics = embedded_settings(tmp_path / "var"), Metrics()
    with (
        DatabaseManager(settings.database_url()) as database,
        Experience(database, KEYS, metrics=metrics) as experience,
    ):
        for user in ("alice", "bob", "alice"):
            experience.use("upload", user)
        experience.use("share", "alice")
        for score, comment in ((5, ""), (4, "too [red]small\x1b[31m[/red]")):
            experience.answer("usable", score, comment)
        for _ in range(4):
            experience.timing("/media/{id}", load=1.2, lcp=5.0, layout_shift=0.01)
        experience.timing("/", load=0.08)
    stack = Stack(settings, configure_logging=False)
    store, room = stack.store(settings.observability), settings.observability
    try:
        with MetricsHub(metrics, store, namespace=room.namespace, service=settings.stack.service) as hub:
            assert hub.publish()
    finally:
        store.close()
    return told


def test_features_are_listed(filled: InProcess) -> None:
    """With users, their share, uses, and the course of weeks."""
    output = filled.run("adoption").output
    [line] = [line for line in output.splitlines() if "upload" in line]
    for part in (" 2 ", "100%", " 3 ", "█"):
        assert part in line
    assert "2 users of any feature" in output
    upload, share = filled.json("adoption", "--weeks", "3", "--since", "7d")
    assert (upload["feature"], upload["users"], upload["uses"], upload["share"]) == ("upload", 2, 3, 1.0)
    assert (share["feature"], share["share"]) == ("share", 0.5)
    assert [week["users"] for week in upload["weeks"]] == [0, 0, 2]


def test_answers_are_shown(filled: InProcess) -> None:
    """What somebody wrote is safe for a terminal, and no markup of it."""
    for arguments in (["survey"], ["survey", "usable"]):
        output = filled.run(*arguments).output
        assert "usable: 2 answers, mean 4.50" in output
        assert "too [red]small" in output
        assert "\x1b" not in output
    found = filled.json("survey", "usable", "--comments", "1")
    assert (found["count"], found["scores"], len(found["comments"])) == (2, [0, 0, 0, 1, 1], 1)
    assert filled.json("survey", "other")["count"] == 0
    assert "nobody has answered" in filled.run("survey", "other", "--since", "7d").output


def test_pages_are_listed(filled: InProcess) -> None:
    """Those first that were loaded most; of what no browser told there is nothing."""
    output = filled.run("pages").output
    [line] = [line for line in output.splitlines() if "/media/{id}" in line]
    for part in (" 4 ", "1.38 s", "5.50 s", "0.01"):
        assert part in line
    first, second = filled.json("pages")
    assert (first["page"], first["count"], first["inp"]) == ("/media/{id}", 4, None)
    assert (second["page"], second["count"], second["lcp"]) == ("/", 1, None)


def test_where_nothing_is_known_a_sentence_says_what_to_do(told: InProcess) -> None:
    """And programs are told of nothing."""
    assert "no feature was used" in told.run("adoption").output
    assert "nobody has answered" in told.run("survey").output
    assert "no browser told of a page" in told.run("pages").output
    assert told.json("adoption") == told.json("pages") == []
    assert told.json("survey")["count"] == 0
