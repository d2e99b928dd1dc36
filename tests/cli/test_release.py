"""`postrmagic release`: a version is marked once, and listed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from postrmagic_core.cli.release import release as command
from tests.cli.in_process import InProcess
from tests.copies import packaged


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InProcess]:
    """The command, for an application."""
    (tmp_path / "release_application.py").write_text(
        "from postrmagic_core.stack import Stack\n\nstack = Stack.from_env()\n"
    )
    (tmp_path / "var").mkdir()
    packaged(f"sqlite:///{tmp_path}/var/app.db")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("POSTRMAGIC_LOG__FILE", str(tmp_path / "app.log"))
    monkeypatch.chdir(tmp_path)
    here = InProcess(command, "release_application:stack")
    yield here
    here.forget()


def test_a_release_is_marked_once(release: InProcess, tmp_path: Path) -> None:
    """It is listed with who did so, and stands in the application's log."""
    assert "no release is known" in release.run("list").output
    assert "release 1.1 is marked" in release.run("mark", "1.1", "--note", "[posters] faster").output
    done = release.run("mark", "1.1")
    assert (done.exit_code, "nothing changed" in done.output) == (0, True)
    assert release.json("mark", "1.1")["changed"] is False
    assert release.json("mark", "1.2")["changed"] is True
    assert [one["version"] for one in release.json("list")] == ["1.2", "1.1"]
    told = release.run("list").output
    assert "[posters] faster" in told
    assert "cli" in told
    assert (tmp_path / "app.log").read_text().count("release marked") == 2


def test_what_is_no_version_is_refused(release: InProcess) -> None:
    """In a sentence that says what was expected."""
    done = release.run("mark", "\x1b[31m 1")
    assert done.exit_code == 1
    assert "expected as a version" in done.output
    assert release.json("list") == []
