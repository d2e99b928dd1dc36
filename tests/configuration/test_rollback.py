"""Back to a version: the file says what it can, and all that it cannot is told."""

from __future__ import annotations

import random
import shlex
import stat
import time
import tomllib
from pathlib import Path

import pytest

from postrmagic_core.configuration import plan_rollback
from postrmagic_core.configuration.policy import changes
from postrmagic_core.configuration.replacing import replace_file
from postrmagic_core.configuration.rollback import Rollback, roll_back
from postrmagic_core.errors import ConfigurationError
from postrmagic_core.settings import Settings
from postrmagic_core.testing import spawn
from tests.configuration.beginning import replace_again_and_again
from tests.configuration.place import FIRST, SECOND, Place

GOOD = """\
# kept
[database]
url = "mysql://app:geheim@db1/app"  # where
pool_size = 5

[middleware.options.body_limit]
max_bytes = 1000  # small
[observability]
channels = { ops = "slack+https://hooks.slack.com/services/geheim2" }
"""


def back(place: Place, number: int = 1) -> tuple[Rollback, dict[str, str]]:
    """Go back to a version; what was planned, and what is left with its reasons."""
    plan = plan_rollback(place.version(number), place.now())
    assert roll_back(plan) == []
    return plan, {one.name: one.reason for one in plan.left}


def test_the_file_says_what_it_said(place: Place) -> None:
    """Byte for byte, where values were changed; the settings are the version, and what was there is beside it."""
    place.begin(GOOD)
    bad = GOOD.replace("db1", "db2").replace("1000", "7").replace("= 5", "= 500")
    place.begin(bad)
    plan, left = back(place)
    assert left == {}
    assert place.file.read_text() == GOOD
    assert (place.directory / "postrmagic.toml.old").read_text() == bad
    assert place.begin() == 1
    assert [one.name for one in plan.changes] == ["database.pool_size", "database.url", "middleware.options"]
    assert "geheim" not in repr(plan)


def test_what_was_not_set_is_taken_out(place: Place) -> None:
    """And what was set to what is the default now stays set."""
    place.begin("[jobs]\nlease = 15.0\n")
    place.begin("[jobs]\nthreads = 9\n[cache]\nqueries = true\n")
    back(place)
    assert tomllib.loads(place.file.read_text()) == {"jobs": {"lease": 15.0}, "cache": {}}
    assert place.begin() == 1


def test_without_a_file_one_is_made_for_its_owner_alone(place: Place) -> None:
    """It needs no file to go back from."""
    place.begin("[jobs]\nthreads = 9\n")
    place.file.unlink()
    back(place)
    assert stat.S_IMODE(place.file.stat().st_mode) == 0o600
    assert Settings().jobs.threads == 9
    assert not (place.directory / "postrmagic.toml.old").exists()


def test_nothing_to_do_writes_nothing(place: Place) -> None:
    """The file is not touched."""
    place.begin(GOOD)
    before = place.file.stat()
    back(place)
    assert place.file.stat().st_mtime_ns == before.st_mtime_ns
    assert not (place.directory / "postrmagic.toml.old").exists()


def test_the_environment_wins_and_it_is_said_what_to_run(place: Place) -> None:
    """Exactly the lines that make it so, quoted for a shell; what the file is to say after them, it says."""
    place.environment(JOBS__NAMESPACE="it", LOG__REDACT='["pin", "a\'b"]')
    place.begin("[jobs]\nthreads = 3\n")
    place.environment(
        JOBS__THREADS="9", JOBS__NAMESPACE="other", LOG__REDACT="[]", CACHE__QUERIES="true", JOBS='{"lease": 2}'
    )
    place.begin("")
    plan, left = back(place)
    assert left["jobs.lease"].endswith("take it out of POSTRMAGIC_JOBS; without it the default holds")
    assert left["jobs.threads"].endswith("the file will say it")
    commands = [command for one in plan.left for command in one.commands]
    assert commands == [
        "unset POSTRMAGIC_CACHE__QUERIES",
        "export POSTRMAGIC_JOBS__NAMESPACE=it",
        "unset POSTRMAGIC_JOBS__THREADS",
        'export POSTRMAGIC_LOG__REDACT=\'["pin", "a\'"\'"\'b"]\'',
    ]
    place.environment(
        JOBS__THREADS=None, JOBS__NAMESPACE="it", LOG__REDACT='["pin", "a\'b"]', CACHE__QUERIES=None, JOBS=None
    )
    assert place.begin() == 1


def test_a_variable_of_a_whole_room_is_left_to_say_the_rest(place: Place) -> None:
    """What it says of other settings would be lost; what says more of one wins over it."""
    place.environment(JOBS='{"threads": 3, "lease": 2}', MIDDLEWARE__OPTIONS='{"a": {"b": 1}}')
    place.begin("")
    place.environment(JOBS='{"threads": 9, "lease": 2}', MIDDLEWARE__OPTIONS__A__B="2")
    place.begin("")
    plan, _ = back(place)
    assert [command for one in plan.left for command in one.commands] == [
        "export POSTRMAGIC_JOBS__THREADS=3",
        "unset POSTRMAGIC_MIDDLEWARE__OPTIONS__A__B",
        """export POSTRMAGIC_MIDDLEWARE__OPTIONS='{"a": {"b": 1}}'""",
    ]
    place.environment(JOBS__THREADS="3", MIDDLEWARE__OPTIONS__A__B=None)
    assert place.begin() == 1


def test_a_table_of_the_environment_is_not_mixed_with_the_files(place: Place) -> None:
    """Given a table in a variable, when the file has one too, then going back leaves it to the variable alone."""
    place.environment(FLAGS__RULES='{"a": {"percent": 5}}')
    place.begin("")
    place.environment(FLAGS__RULES='{"a": {"percent": 7}}')
    place.begin("[flags.rules]\nb = { percent = 1 }\n[jobs]\nthreads = 3\n")
    plan = plan_rollback(place.version(1), place.now())
    assert roll_back(plan) == []
    (left,) = plan.left
    (command,) = left.commands
    place.environment(FLAGS__RULES=shlex.split(command)[1].partition("=")[2])
    assert Settings().flags.rules == {"a": {"percent": 5}}


def test_the_lines_to_run_are_right_whatever_is_in_them(place: Place) -> None:
    """Given names that the stored form escapes, and a text of two lines, when told, then it is what was there."""
    options = '{"$a": {"b": 5}}'
    place.environment(MIDDLEWARE__OPTIONS=options, LOG__FILE="a\nb")
    place.begin("")
    place.environment(MIDDLEWARE__OPTIONS="{}", LOG__FILE="c")
    place.begin("")
    plan, left = back(place)
    assert [command for one in plan.left for command in one.commands] == [
        f"export POSTRMAGIC_MIDDLEWARE__OPTIONS='{options}'"
    ]
    assert left["log.file"].endswith('set POSTRMAGIC_LOG__FILE to what is "a\\nb" in JSON')


def test_a_secret_that_is_not_there_is_named(place: Place) -> None:
    """By its variable and its fingerprint; a secret of the environment is not put into the file."""
    place.begin(GOOD)
    place.environment(DATABASE__URL="mysql://app:geheim@db9/app")
    place.begin(GOOD.replace("app:geheim@", "app:other@").replace("geheim2", "other2"))
    plan, left = back(place)
    print_ = str(place.version(1).fields["database.url"].value)
    assert print_ in left["database.url"]
    assert "POSTRMAGIC_DATABASE__URL" in left["database.url"]
    assert "POSTRMAGIC_OBSERVABILITY__CHANNELS" in left["observability.channels"]
    assert "geheim" not in place.file.read_text() + repr(plan.left)
    assert "geheim" not in repr(plan.changes)


def test_a_secret_that_moved_is_found_by_its_fingerprint(place: Place) -> None:
    """What was the database's password may be another setting's by now."""
    place.begin('[database]\nurl = "mysql://app:geheim@db1/app"\n')
    place.begin('[jobs]\nurl = "mysql://app:geheim@db2/app"\n')
    _, left = back(place)
    assert left == {}
    assert tomllib.loads(place.file.read_text())["database"]["url"] == "mysql://app:geheim@db1/app"
    assert place.begin() == 1


def test_keys_and_the_release_are_never_taken_back(place: Place) -> None:
    """What was sealed since needs the keys; a release is what runs."""
    place.environment(SECURITY__KEYS=None)
    old = f'[security]\nkeys = ["{FIRST}"]\n[stack]\nrelease = "1.0"\n'
    new = f'[security]\nkeys = ["{SECOND}", "{FIRST}"]\n[stack]\nrelease = "1.1"\n'
    place.begin(old)
    place.begin(new)
    _, left = back(place)
    assert set(left) == {"security.keys", "stack.release"}
    assert place.file.read_text() == new


def test_under_other_keys_it_cannot_be_told(place: Place) -> None:
    """And then nothing is claimed: the secret stays as it is, and the key is named."""
    place.begin(GOOD)
    key = place.version(1).keys[0]
    place.environment(SECURITY__KEYS=f'["{SECOND}"]')
    place.begin(GOOD.replace("= 5", "= 6"))
    plan, left = back(place)
    assert key in left["database.url"]
    assert "cannot be told" in left["database.url"]
    assert "cannot be told" in left["observability.channels"]
    assert place.file.read_text() == GOOD
    assert "database.url" not in plan.restored


def test_what_this_release_does_not_know_or_refuses_is_named(place: Place) -> None:
    """The rest is restored, and the file is one that an application begins with."""
    from dataclasses import replace

    from postrmagic_core.configuration import Field

    place.begin("[jobs]\nthreads = 3\n")
    place.begin("[jobs]\nthreads = 9\n")
    version = place.version(1)
    strange = {"jobs.lease": Field(-1, "file"), "jobs.warp": Field(1, "file"), "space.x": Field(1, "file")}
    strange |= {"jobs.grace": Field([None], "file"), "jobs.worker": Field("\ud800", "file")}
    plan = plan_rollback(replace(version, fields={**version.fields, **strange}), place.now())
    assert roll_back(plan) == []
    left = {one.name: one.reason for one in plan.left}
    assert set(left) == set(strange)
    assert "refuses" in left["jobs.lease"]
    assert "does not know" in left["jobs.warp"]
    assert tomllib.loads(place.file.read_text()) == {"jobs": {"threads": 3}}


WRONG = {
    "a value": GOOD.replace("= 5", "= 'many'"),
    "a field": GOOD + "colour = 1\n",
    "a room": GOOD + "[cahce]\nx = 1\n",
    "no table": "jobs = 5\n" + GOOD,
    "a line": GOOD.replace("pool_size = 5", "pool_size = 50\npool_overflow ="),
    "no text": GOOD.replace("# small", "# \udcff"),
    "a url": GOOD.replace("mysql://app:geheim@db1/app", "app:geheim"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_settings_that_are_wrong_are_mended(place: Place, kind: str) -> None:
    """Nothing begins with them; after it, all begins as it did, but for a secret that is nowhere."""
    place.begin(GOOD)
    place.file.write_bytes(WRONG[kind].encode(errors="surrogateescape"))
    plan, left = back(place)
    assert set(left) == ({"database.url"} if kind == "a url" else set())
    settings = Settings()
    assert (settings.database.pool_size, settings.jobs.threads) == (5, 4)
    assert plan.drops == (kind in {"a line", "no text"})
    if kind not in {"no text", "a url"}:
        assert place.begin() == 1
        assert "# kept" in place.file.read_text()


def test_a_file_that_is_no_toml_at_all_is_written_anew(place: Place) -> None:
    """Without the secrets that were in it; they are named."""
    place.begin(GOOD)
    place.says("]]]\n" * 100)
    _, left = back(place)
    assert set(left) == {"database.url", "observability.channels"}
    assert Settings().middleware.options == {"body_limit": {"max_bytes": 1000}}
    assert (place.directory / "postrmagic.toml.old").read_text() == "]]]\n" * 100


def test_variables_with_which_nothing_begins_are_to_be_unset(place: Place) -> None:
    """Those of no room, of no field, and of a wrong value."""
    place.begin()
    place.environment(CAHCE__URL="x", LOG__COLOUR="blue", JOBS__THREADS="many", CACHE="{")
    plan, _ = back(place)
    assert sorted(command for one in plan.left for command in one.commands) == [
        "unset POSTRMAGIC_CACHE",
        "unset POSTRMAGIC_CAHCE__URL",
        "unset POSTRMAGIC_JOBS__THREADS",
        "unset POSTRMAGIC_LOG__COLOUR",
    ]


def test_what_the_code_gave_is_not_the_files(place: Place) -> None:
    """The file would be overruled by it."""
    from postrmagic_core.configuration import record

    record(Settings().replace(jobs={"threads": 7}), clock=place.clock)
    _, left = back(place)
    assert list(left) == ["jobs.threads"]
    assert not place.file.exists()


def test_mode_owner_and_link_of_the_file_stay(place: Place, tmp_path: Path) -> None:
    """A link still leads to where it led, and there the file is new."""
    (tmp_path / "etc").mkdir()
    real = tmp_path / "etc" / "app.toml"
    real.write_text(GOOD)
    real.chmod(0o640)
    place.file.symlink_to(real)
    place.begin()
    real.write_text(GOOD.replace("= 5", "= 6"))
    back(place)
    assert place.file.is_symlink()
    assert (real.read_text(), stat.S_IMODE(real.stat().st_mode)) == (GOOD, 0o640)
    assert stat.S_IMODE((tmp_path / "etc" / "app.toml.old").stat().st_mode) == 0o640


def test_a_file_that_changed_meanwhile_is_left_alone(place: Place) -> None:
    """Somebody else may have mended it."""
    place.begin(GOOD)
    place.says(GOOD.replace("= 5", "= 6"))
    plan = plan_rollback(place.version(1), place.now())
    place.says(GOOD.replace("= 5", "= 7"))
    with pytest.raises(ConfigurationError, match="changed meanwhile"):
        roll_back(plan)
    assert "= 7" in place.file.read_text()
    place.file.unlink()
    with pytest.raises(ConfigurationError, match="cannot be written: No such file"):
        roll_back(plan)


def test_where_it_cannot_be_written_it_is_as_it_was(place: Place) -> None:
    """And no draft is left."""
    place.begin(GOOD)
    (place.directory / "postrmagic.toml.old").mkdir()
    place.says(GOOD.replace("= 5", "= 6"))
    plan = plan_rollback(place.version(1), place.now())
    with pytest.raises(ConfigurationError, match=r"cannot be written: .* as it was"):
        roll_back(plan)
    assert "= 6" in place.file.read_text()
    assert not list(place.directory.glob(".*.part"))


def test_a_version_read_again_that_differs_is_told(place: Place) -> None:
    """What was claimed is proved by reading the file as an application does."""
    from dataclasses import replace

    place.begin("[jobs]\nthreads = 3\n")
    place.begin("[jobs]\nthreads = 9\n")
    plan = plan_rollback(place.version(1), place.now())
    assert roll_back(replace(plan, after="[jobs]\nthreads = 4\n")) == ["jobs.threads"]


def killed(place: Place, seconds: float) -> None:
    """Kill who replaces the file all the time; it is one of the two that are written."""
    with spawn(replace_again_and_again, str(place.file)) as child:
        assert child.line() == "begun"
        time.sleep(seconds)
        child.kill()
    assert place.file.read_text() in {"a = 1\n" * 5000, "b = 2\n" * 5000}


def test_killed_at_any_moment_the_file_is_the_old_or_the_new(place: Place) -> None:
    """Never half of one, never none."""
    place.says("a = 1\n" * 5000)
    generator = random.Random(4)
    for _ in range(2):
        killed(place, generator.random() * 0.05)


@pytest.mark.soak
def test_killed_at_many_moments(place: Place) -> None:
    """As above."""
    place.says("a = 1\n" * 5000)
    generator = random.Random(5)
    for _ in range(100):
        killed(place, generator.random() * 0.1)


def test_random_ways_back_are_exact(place: Place) -> None:
    """Between many files, from each to each: the settings are those of the version, and no field is left."""
    generator = random.Random(7)
    texts = []
    for _ in range(4):
        lines = ["# x"]
        for room, fields in {
            "jobs": {"threads": "3", "lease": "20", "namespace": '"n"', "max_memory_mib": "7"},
            "cache": {"queries": "true", "timeout": "0.25", "url": '"redis://:pw@h/0"'},
            "log": {"levels": '{ a = "INFO", "b.c" = "DEBUG" }', "redact": '["x"]', "file": '"log/x"'},
            "middleware": {"groups": '{ "/api" = { use = ["errors"] } }', "options": "{ x = { a = 1, b = [1, 2.5] } }"},
        }.items():
            chosen = [f"{name} = {value}" for name, value in fields.items() if generator.random() < 0.5]
            lines += [f"[{room}]", *chosen] if chosen else []
        texts.append("\n".join(lines) + "\n")
    numbers = [place.begin(text) for text in texts]
    for number in [*numbers, *reversed(numbers)]:
        assert number is not None
        plan = plan_rollback(place.version(number), place.now())
        unfound = {one.name for one in plan.left}
        assert unfound <= {"cache.url"}
        assert roll_back(plan) == []
        differing = {one.name for one in changes(place.version(number).fields, place.now().fields)}
        assert differing <= unfound


def test_what_is_replaced_must_be_what_was_seen(tmp_path: Path) -> None:
    """Also where there was nothing."""
    file = tmp_path / "x.toml"
    file.write_text("a")
    with pytest.raises(ConfigurationError, match="made meanwhile"):
        replace_file(file, None, "b")
    assert file.read_text() == "a"
