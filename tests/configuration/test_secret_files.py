"""Versions of settings that are files of their own: told apart, never stored, never put into the TOML file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from postrmagic_core.cli.app import app
from postrmagic_core.configuration import plan_rollback
from postrmagic_core.configuration.rollback import roll_back
from postrmagic_core.settings import Settings
from tests.configuration.place import Place

WORDS = ("Zebra-4711-canary", "Okapi-0815-canary", "Tapir-2342-canary")


@pytest.fixture
def secrets(place: Place) -> Path:
    """A directory of secret files: a password, an option of any form, a text that looks harmless."""
    directory = place.directory / "secrets"
    directory.mkdir()
    place.environment(SECRETS=str(directory))
    (directory / "database__url").write_text(f"mysql://app:{WORDS[0]}@db.internal/app\n")
    (directory / "middleware__options").write_text(json.dumps({"own": {"colour": WORDS[1], "size": 3}}))
    (directory / "jobs__namespace").write_text(WORDS[2])
    return directory


def test_what_is_in_secret_files_is_not_in_versions(place: Place, secrets: Path) -> None:
    """Whatever the setting is: who put it into such a file says that it is a secret. It says where it is from."""
    assert place.begin() == 1
    stored = place.everything().decode()
    assert [word for word in WORDS if word in stored] == []
    fields = place.version(1).fields
    names = ("database.url", "middleware.options", "jobs.namespace", "security.keys", "jobs.threads")
    assert [fields[name].source for name in names] == ["secret", "secret", "secret", "environment", "default"]
    assert str(fields["database.url"].value).startswith("mysql://app:[")


def test_another_content_is_another_version(place: Place, secrets: Path) -> None:
    """And the same again is not."""
    assert [place.begin(), place.begin()] == [1, 1]
    (secrets / "jobs__namespace").write_text("other")
    assert place.begin() == 2


def test_a_rollback_names_the_file_and_puts_nothing_into_another(place: Place, secrets: Path) -> None:
    """Given a version with another secret, who keeps the secrets is to write it, and the TOML file does not get it."""
    place.begin("[jobs]\nthreads = 5\n")
    (secrets / "database__url").write_text("mysql://app:new@db.internal/app")
    place.begin("[jobs]\nthreads = 6\n")
    plan = plan_rollback(place.version(1), place.now())
    left = {one.name: one for one in plan.left}
    assert f"{secrets / 'database__url'} wins over the file: write into it what it was" in left["database.url"].reason
    assert not left["database.url"].commands
    roll_back(plan)
    assert place.file.read_text() == "[jobs]\nthreads = 5\n"
    (secrets / "database__url").unlink()
    plan = plan_rollback(place.version(1), place.now())
    assert [one.name for one in plan.left] == ["database.url"]
    assert [word for word in WORDS if word in plan.after] == []


def test_wrong_files_are_told_with_all_else(place: Place, secrets: Path) -> None:
    """Though no application would begin, what holds can be seen."""
    (secrets / "databse__url").write_text(WORDS[0])
    (secrets / "jobs__threads").write_text("7")
    place.says("[cache]\ntimeout = -1.0\n")
    now = place.now()
    assert set(now.problems) == {str(secrets / "databse__url"), "cache.timeout"}
    assert now.fields["jobs.threads"].source == "secret"


def test_the_settings_command_shows_none(place: Place, secrets: Path) -> None:
    """Neither as a table nor as JSON."""
    for option in ((), ("--json",)):
        done = CliRunner().invoke(app, ["settings", *option])
        assert done.exit_code == 0, done.output
        assert [word for word in WORDS if word in done.output] == []
    assert Settings().jobs.namespace == WORDS[2]
