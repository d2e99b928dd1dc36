"""`postrmagic config`: what is shown and written, and that no secret is in any of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from postrmagic_core.cli.configuration import config
from postrmagic_core.configuration import record
from postrmagic_core.errors import ConfigurationError
from postrmagic_core.settings import Settings
from postrmagic_core.testing.clock import FakeClock

CANARY = "c4n4ry"
GOOD = f"""\
[database]
url = "mysql://app:{CANARY}1@db1/app"  # where
pool_size = 5
[observability]
token = "{CANARY}2-0123456789"
"""
BAD = GOOD.replace("db1", "[db2]").replace("= 5", "= 50")


class Application:
    """A directory with settings, and the command in it."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "postrmagic.toml"
        self._clock = FakeClock()

    def begin(self, text: str, by: str = "web") -> None:
        """A process begins with these settings."""
        self.file.write_text(text)
        self._clock.advance(60)
        record(Settings(), by=by, clock=self._clock)

    def run(self, *arguments: str, answer: str | None = None) -> Result:
        """What the command says; never a secret."""
        done = CliRunner().invoke(config, arguments, input=answer)
        assert CANARY not in done.output + repr(done.exception)
        return done

    def json(self, *arguments: str) -> Any:
        """What it answers programs."""
        done = self.run(*arguments, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Application:
    """In an environment with a key and nothing else of ours."""
    for name in list(os.environ):
        if name.startswith("POSTRMAGIC_") and not name.startswith("POSTRMAGIC_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("POSTRMAGIC_SECURITY__KEYS", f'["{CANARY}3_kX3v9_8QmZ1rT6yUw2pLs7NaBcDe"]')
    return Application(tmp_path)


def test_history_tells_what_each_version_changed(application: Application) -> None:
    """The present one is marked; web and worker are told apart."""
    assert "there is no version" in application.run("history").output
    application.begin(GOOD)
    application.begin(BAD, by="worker")
    told = application.run("history").output
    assert "2 *" in told
    assert "worker" in told
    assert "database.pool_size, database.url" in told
    first, second = application.json("history")["versions"]
    assert (first["current"], second["current"], first["changed"]) == (False, True, None)
    assert second["changed"] == ["database.pool_size", "database.url"]
    assert list(second["seen_by"]) == ["worker"]
    application.file.write_text(BAD + "[jobs]\nthreads = 9\n")
    assert "none of them" in application.run("history").output


def test_diff_tells_old_and_new(application: Application) -> None:
    """Of a URL the host, of a secret that it changed; brackets are no markup."""
    application.begin(GOOD)
    with pytest.raises(ConfigurationError, match="no other version"):
        CliRunner().invoke(config, ["diff"], catch_exceptions=False)
    application.begin(BAD.replace(f"{CANARY}2", f"{CANARY}9"))
    told = application.run("diff").output
    assert "5 (file)" in told
    assert "50 (file)" in told
    assert "@[db2]/app" in told
    assert application.json("diff", "1", "2")["changes"] == application.json("diff")["changes"]
    verdicts = {one["name"]: one["verdict"] for one in application.json("diff")["changes"]}
    assert verdicts == dict.fromkeys(["database.pool_size", "database.url", "observability.token"], "changed")
    assert "are the same" in application.run("diff", "2").output
    assert application.json("diff", "2", "1")["new"] == 1


def test_show_has_every_setting(application: Application) -> None:
    """Of a version, or of now; a version that is not there is named, with those that are."""
    application.begin(GOOD)
    assert application.json("show", "1")["fields"]["database.pool_size"] == {"value": 5, "source": "file"}
    assert application.json("show")["number"] is None
    assert "mysql://app:[" in application.run("show", "1").output
    done = application.run("show", "4")
    assert isinstance(done.exception, ConfigurationError)
    assert "there is no version 4" in str(done.exception)


def test_rollback_asks_and_writes(application: Application) -> None:
    """A trial and a no write nothing; a yes writes, and 3 says that something is left."""
    application.begin(GOOD)
    application.begin(BAD)
    assert application.run("rollback", "1", "--dry-run").exit_code == 0
    assert application.run("rollback", "1", answer="n\n").exit_code == 1
    assert application.file.read_text() == BAD
    done = application.run("rollback", "1", answer="y\n")
    assert (done.exit_code, application.file.read_text()) == (0, GOOD)
    assert "are those of version 1" in done.output
    assert "stays as it is" in application.run("rollback", "1", "--yes").output


def test_rollback_says_what_to_run(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the environment wins; and what a secret must be."""
    application.begin(GOOD)
    application.begin(BAD.replace(f"{CANARY}2", f"{CANARY}9"))
    monkeypatch.setenv("POSTRMAGIC_DATABASE__POOL_SIZE", "77")
    done = application.run("rollback", "1", "--yes")
    assert done.exit_code == 3
    assert "unset POSTRMAGIC_DATABASE__POOL_SIZE" in done.output
    assert "set POSTRMAGIC_OBSERVABILITY__TOKEN to the secret of the fingerprint [" in done.output


def test_another_file_can_be_written(application: Application, tmp_path: Path) -> None:
    """Its own text is what is looked at; the one that is read stays."""
    application.begin("[jobs]\nthreads = 3\n")
    application.begin("[jobs]\nthreads = 9\n")
    other = tmp_path / "other.toml"
    assert application.run("rollback", "1", "--yes", "--file", str(other)).exit_code == 0
    assert other.read_text() == "[jobs]\nthreads = 3\n"
    assert "= 9" in application.file.read_text()


@pytest.mark.parametrize("text", [GOOD.replace("5", "'many'"), GOOD + "x = \n", f"{CANARY}\n" + GOOD, f"[{CANARY}"])
def test_settings_that_are_wrong_stop_none_of_it(application: Application, text: str) -> None:
    """That is when it is needed."""
    application.begin(GOOD)
    application.file.write_text(text)
    told = application.run("history").output
    assert "the settings are wrong now" in told
    assert application.run("diff", "1").exit_code == 0
    assert application.json("show")["problems"] != {}
    assert application.run("rollback", "1", "--yes").exit_code in {0, 3}
    assert Settings().database.pool_size == 5


def test_versions_elsewhere_are_named(application: Application, tmp_path: Path) -> None:
    """Where the settings no longer say where they are."""
    application.begin("[stack]\ndata_dir = 'data'\n")
    application.file.write_text("")
    assert application.json("history")["versions"] == []
    assert len(application.json("history", "--data-dir", "data")["versions"]) == 1


def test_what_is_no_version_is_told(application: Application, tmp_path: Path) -> None:
    """By its name, which cannot steer the terminal."""
    application.begin(GOOD)
    (tmp_path / "var" / "settings" / "\x1b[31m.json").write_text("{}")
    told = application.run("history").output
    assert "skipped" in told
    assert "\x1b" not in told


def test_a_history_that_cannot_be_read_is_not_called_empty(application: Application, tmp_path: Path) -> None:
    """Each command names what is in the way."""
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "settings").write_text("a file where the directory was")
    told = application.run("history").output
    assert "cannot be read: Not a directory" in told
    assert "there is no version" not in told
    for command in (["diff"], ["show", "1"], ["rollback", "1"]):
        error = application.run(*command).exception
        assert isinstance(error, ConfigurationError)
        assert "cannot be read" in str(error)
