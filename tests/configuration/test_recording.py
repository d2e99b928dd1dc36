"""What begins with settings notes them as a version; nothing of that keeps it from beginning."""

from __future__ import annotations

import logging
import os
import random
import stat
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from postrmagic_core.configuration import VersionFiles, record
from postrmagic_core.configuration.files import KEEP
from postrmagic_core.configuration.recording import program
from postrmagic_core.settings import Settings
from postrmagic_core.testing import spawn
from tests.configuration.beginning import begin_again_and_again, begin_on_a_full_disk, begin_with, hold_lock
from tests.configuration.place import SECOND, Place

START = datetime(2026, 5, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_the_same_settings_are_the_same_version(place: Place) -> None:
    """It has a new time, and the number that it had; other settings get the next."""
    assert [place.begin(), place.begin(), place.begin("[jobs]\nthreads = 9\n"), place.begin("")] == [1, 1, 2, 1]
    first, second = place.history().versions
    assert (first.number, first.first_seen, first.last_seen) == (1, START + HOUR, START + 4 * HOUR)
    assert (second.number, second.first_seen, second.last_seen) == (2, START + 3 * HOUR, START + 3 * HOUR)
    assert second.fields["jobs.threads"].value == 9
    assert [second.fields[name].source for name in ("jobs.threads", "jobs.lease", "security.keys")] == [
        "file",
        "default",
        "environment",
    ]


def test_processes_of_other_environments_have_versions_of_their_own(place: Place) -> None:
    """They alternate, and each kind that saw one is told with the time."""
    place.begin(by="web")
    place.environment(JOBS__THREADS="9")
    place.begin(by="worker")
    place.begin(by="Cron / nightly")
    place.environment(JOBS__THREADS=None)
    place.begin(by="web")
    first, second = place.history().versions
    assert dict(first.seen_by) == {"web": START + 4 * HOUR}
    assert dict(second.seen_by) == {"worker": START + 2 * HOUR, "cron-nightly": START + 3 * HOUR}


def test_what_moved_into_the_file_is_a_version_too(place: Place) -> None:
    """The value is the same; where it is set is not."""
    place.begin()
    assert place.begin("[jobs]\nthreads = 4\n") == 2


def test_a_release_and_what_the_application_gives_are_noted(place: Place) -> None:
    """The release is the application's; a value of its code is none of the file's."""
    settings = Settings().replace(stack={"release": "1.4.2"}, jobs={"threads": 7})
    assert record(settings, clock=place.clock) == 1
    version = place.version(1)
    assert (version.release, version.package != "") == ("1.4.2", True)
    assert version.fields["jobs.threads"].source == "code"
    assert version.fields["jobs.lease"].source == "default"


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (["/venv/bin/postrmagic", "worker", "--app", "a:b"], "worker"),
        (["/venv/lib/postrmagic_core/cli/__main__.py", "db", "upgrade"], "db"),
        (["/venv/lib/postrmagic_core/jobs/process.py", "a:b", "all"], "worker"),
        (["/venv/lib/uvicorn/__main__.py", "a:b"], "uvicorn"),
        (["/venv/bin/gunicorn", "secret"], "gunicorn"),
        (["app.py"], "app"),
        (["-c"], "c"),
        (["-"], "process"),
        ([""], "process"),
        ([], "process"),
    ],
)
def test_a_process_is_called_after_its_program(arguments: list[str], kind: str) -> None:
    """Nothing else of its arguments is noted."""
    assert program(arguments) == kind


def test_files_are_their_owners_alone(place: Place) -> None:
    """Whatever the umask is."""
    before = os.umask(0)
    try:
        place.begin()
    finally:
        os.umask(before)
    assert stat.S_IMODE(place.versions.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in place.versions.iterdir()} == {0o600}


def test_production_without_keys_is_noted_without_fingerprints(place: Place) -> None:
    """Secrets are told as ones of which nothing can be told."""
    place.environment(SECURITY__KEYS=None, STACK__ENVIRONMENT="production", DATABASE__URL="mysql://app:geheim@db/app")
    assert place.begin() == 1
    assert place.version(1).keys == ()
    assert str(place.version(1).fields["database.url"].value) == "mysql://app:[secret]@db/app"
    assert not (place.directory / "var" / "secret.key").exists()


def test_other_keys_are_another_version(place: Place) -> None:
    """A key that is added first, and one that is taken away."""
    place.begin()
    place.environment(SECURITY__KEYS=f'["{SECOND}", "kX3v9_first_8QmZ1rT6yUw2pLs7NaBcDe"]')
    assert place.begin() == 2
    assert place.version(2).keys[1] == place.version(1).keys[0]


def test_the_oldest_go(place: Place) -> None:
    """Of too many, those not seen for the longest time; the newest number is never given twice."""
    files = VersionFiles(place.versions, keep=3)
    place.begin()
    template = place.version(1)

    def see(name: str, day: int) -> int:
        from dataclasses import replace

        at = START + timedelta(days=day)
        return files.see(replace(template, fingerprint=name * 12, first_seen=at, last_seen=at), "web")[0].number

    assert [see("a", 1), see("b", 2), see("c", 3)] == [2, 3, 4]
    assert see("a", 9) == 2  # seen again: it stays
    assert see("d", 10) == 5
    names = sorted(path.name for path in place.versions.iterdir() if path.name != ".lock")
    assert [name for name in names if name.endswith(".json")] == [
        "0002-aaaaaaaaaaaa.json",
        "0004-cccccccccccc.json",
        "0005-dddddddddddd.json",
    ]
    assert len(names) == 6
    assert KEEP == 200


def test_a_crowd_in_the_directory_hinders_nobody(place: Place) -> None:
    """Given thousands of files called as versions are, when a process begins, then it begins, and they are gone."""
    place.versions.mkdir(parents=True)
    for number in range(4000):
        (place.versions / f"{number:04d}-{number:012x}.json").touch()
        (place.versions / f"{number:04d}-{number:012x}.web.seen").touch()
    begun = time.monotonic()
    assert place.begin() == 4000
    assert time.monotonic() - begun < 5
    assert len(list(place.versions.glob("*.json"))) == KEEP


def test_numbers_have_no_end(place: Place) -> None:
    """Given a file of a great number, when versions come, then they are found again."""
    place.versions.mkdir(parents=True)
    (place.versions / f"{10**9 - 1}-{'a' * 12}.json").touch()
    assert [place.begin(), place.begin(), place.begin("[jobs]\nthreads = 3\n")] == [10**9, 10**9, 10**9 + 1]


def test_processes_that_begin_at_once_lose_none_and_double_none(place: Place) -> None:
    """Six of them, with three settings: numbers one to three, and each pair has the same."""
    children = [spawn(begin_with, str(place.directory), str(number % 3 + 1)) for number in range(6)]
    told = []
    for child in children:
        with child:
            told.append(child.line())
            assert child.wait() == 0
    assert sorted(told) == sorted("112233")
    versions = place.history().versions
    assert [one.number for one in versions] == [1, 2, 3]
    assert sorted(one.fields["jobs.threads"].value for one in versions) == [1, 2, 3]


def test_who_is_killed_while_writing_leaves_nothing_and_hinders_nobody(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """Stopped, it costs the next a second and one warning; killed, nothing: what it left half is removed."""
    place.begin()
    with spawn(hold_lock, str(place.versions)) as child:
        assert child.line() == "held"
        assert place.begin() == 1, "what is known needs no lock"
        began = time.monotonic()
        assert place.begin("[jobs]\nthreads = 9\n") is None
        assert 0.5 < time.monotonic() - began < 20
        assert [one.message for one in caplog.records if one.levelno == logging.WARNING] == ["settings not recorded"]
        child.kill()
    assert place.begin() == 2
    assert not list(place.versions.glob("*.part")) + list(place.versions.glob(".*.part"))


@pytest.mark.soak
def test_who_is_killed_at_any_moment_leaves_whole_versions_alone(place: Place) -> None:
    """Each has a number of its own, and nothing is left half."""
    generator = random.Random(3)
    for number in range(60):
        with spawn(begin_again_and_again, str(place.directory), number * 1000) as child:
            child.line()
            time.sleep(generator.random() * 0.05)
            child.kill()
    place.begin("[jobs]\nthreads = 9\n")
    found = place.history()
    assert found.faults == ()
    numbers = [one.number for one in found.versions]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] > 60
    assert len(numbers) <= KEEP
    assert not list(place.versions.glob(".*.part"))


def test_a_full_disk_is_a_warning(place: Place) -> None:
    """No half file is left, and the next that finds room writes a whole one."""
    with spawn(begin_on_a_full_disk, str(place.directory)) as child:
        assert child.line() == "None"
        assert child.wait() == 0
    assert [path.name for path in place.versions.iterdir()] == [".lock"]
    assert place.begin() == 1


@pytest.mark.parametrize("obstacle", ["file", "link to nothing", "directory of that name"])
def test_what_is_in_the_way_is_a_warning(
    place: Place, caplog: pytest.LogCaptureFixture, obstacle: str, tmp_path: Path
) -> None:
    """One, which says why; nothing is written elsewhere."""
    (place.directory / "var").mkdir()
    if obstacle == "file":
        place.versions.write_text("")
    elif obstacle == "link to nothing":
        place.versions.symlink_to(tmp_path / "nowhere" / "else")
    else:
        (place.versions / ".lock").mkdir(parents=True)
    assert place.begin() is None
    (warning,) = [one for one in caplog.records if one.name == "postrmagic_core.configuration"]
    assert (warning.message, bool(vars(warning)["reason"])) == ("settings not recorded", True)
    assert not (tmp_path / "nowhere").exists()


def test_a_link_in_place_of_a_lock_is_not_followed(place: Place, tmp_path: Path) -> None:
    """What it leads to is neither made nor written."""
    place.versions.mkdir(parents=True)
    (place.versions / ".lock").symlink_to(tmp_path / "victim")
    assert place.begin() is None
    assert not (tmp_path / "victim").exists()


def test_values_that_cannot_be_noted_are_a_warning(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """An application's code may give anything: what holds itself, numbers that have no digits, broken text."""
    circle: dict[str, object] = {}
    circle["again"] = circle
    settings = Settings()
    object.__setattr__(settings.middleware, "options", circle)
    assert record(settings) is None
    object.__setattr__(settings.middleware, "options", {"n": 10**5000, "secret": 10**5000})
    assert record(settings) is None
    assert [vars(one)["reason"] for one in caplog.records] == ["unexpected", "unexpected"]
    object.__setattr__(settings.middleware, "options", {"\udcff": "\udcff", "secret": "\udcff", 5: {6, 7}})
    assert record(settings) == 1


def test_to_note_what_is_known_costs_little(place: Place) -> None:
    """A millisecond on an idle machine; here, of several tries, the best counts, with a margin."""
    settings = Settings()
    record(settings)
    best = min(_seconds(settings) for _ in range(20))
    assert best < 0.01


def _seconds(settings: Settings) -> float:
    began = time.process_time()
    record(settings)
    return time.process_time() - began
