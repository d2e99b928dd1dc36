"""What a Stack wires of the way back: backups, flags, and the versions of its settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from postrmagic_core.configuration import VersionFiles
from postrmagic_core.errors import ConfigurationError, SettingsError, UnknownScheme, UsageError
from postrmagic_core.flags import Rule
from postrmagic_core.settings import Settings
from postrmagic_core.stack import Stack


def made(directory: Path, environment: str = "test", /, **rooms: dict[str, Any]) -> Stack:
    """A Stack on files in ``directory``, not opened."""
    stack = {"data_dir": directory, "environment": environment}
    return Stack(Settings(stack=stack, **rooms), configure_logging=False)


def test_a_backup_holds_what_the_stack_wrote(tmp_path: Path) -> None:
    """Given an open Stack, when it takes a backup, then that is sealed with its keys and has its database."""
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "poster.jpeg").write_bytes(b"poster")
    with made(tmp_path, backups={"files": {"media": tmp_path / "media"}}) as stack:
        taken = stack.backups.take()
        assert stack.backups.verify() == taken.name
    assert "pm_flags" in taken.manifest.database.tables
    assert [entry.name for entry in taken.manifest.of_directory("media")] == ["files/media/poster.jpeg"]
    assert (tmp_path / "backups" / taken.name).is_file()


def test_a_flag_is_audited_by_the_stack_s_own_log(tmp_path: Path) -> None:
    """Given a flag of settings, when it is changed, then that counts at once and the audit log has it."""
    with made(tmp_path, flags={"rules": {"gallery": {"percent": 0}}}) as stack:
        assert not stack.flags.on("gallery", "7")
        stack.flags.set("gallery", Rule(percent=100), actor="ada")
        assert stack.flags.on("gallery", "7")
        assert [(one.action, one.actor) for one in stack.security.audit.find()] == [("flag.set", "ada")]


@pytest.mark.parametrize(("environment", "strict"), [("development", True), ("test", False)])
def test_a_misspelt_flag_is_an_error_in_development_alone(environment: str, strict: bool, tmp_path: Path) -> None:
    """Given a flag that nobody declared, when it is asked for, then development raises, and elsewhere it is off."""
    with made(tmp_path, environment, observability={"watch": False}, log={"search": False}) as stack:
        if strict:
            with pytest.raises(UsageError, match="galery"):
                stack.flags.on("galery")
        else:
            assert not stack.flags.on("galery")


def test_what_a_stack_begins_with_is_a_version(tmp_path: Path) -> None:
    """Given settings that change, when Stacks open with them, then each is a version; with the same there is none."""
    quiet: dict[str, dict[str, Any]] = {"observability": {"watch": False}, "log": {"search": False}}
    for threads in (4, 4, 8):
        with made(tmp_path, "development", jobs={"threads": threads}, **quiet):
            pass
    versions = VersionFiles(tmp_path / "settings").read().versions
    assert [one.fields["jobs.threads"].value for one in versions] == [4, 8]


def test_tests_leave_no_versions(tmp_path: Path) -> None:
    """Given the environment test, when a Stack opens, then nothing is kept of its settings."""
    with made(tmp_path):
        pass
    assert not (tmp_path / "settings").exists()


def test_workers_take_backups_when_settings_say_so(tmp_path: Path) -> None:
    """Given a schedule, when the Stack's tasks are looked at, then a backup is among them; and none without one."""
    with made(tmp_path / "a", backups={"schedule": "30 2 * * *"}) as stack:
        assert [one.name for one in stack.jobs.schedules()] == ["postrmagic.backups.take"]
    with made(tmp_path / "b") as stack:
        assert stack.jobs.schedules() == []


@pytest.mark.parametrize(
    ("rooms", "error", "told"),
    [
        ({"backups": {"url": "nowhere://here"}}, UnknownScheme, "nowhere"),
        ({"backups": {"schedule": "at noon"}}, ConfigurationError, "SCHEDULE"),
        ({"backups": {"keep_last": 0}}, SettingsError, "keep_last"),
        ({"flags": {"rules": {"gallery": {"percent": 101}}}}, ConfigurationError, "gallery"),
    ],
)
def test_what_is_wrong_is_refused_at_the_start(
    rooms: dict[str, dict[str, Any]], error: type[Exception], told: str, tmp_path: Path
) -> None:
    """Given a vault, a schedule, a retention or a rule that is none, when the Stack opens, then it says which."""
    with pytest.raises(error, match=told), made(tmp_path, **rooms):
        pass
