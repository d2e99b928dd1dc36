"""Where settings are from; and settings that are wrong, as far as they go."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import pytest
from pydantic import BaseModel, model_validator

from postrmagic_core.configuration.current import present
from postrmagic_core.configuration.sources import effective, made_of, read_sources
from postrmagic_core.errors import SettingsError
from postrmagic_core.settings import Settings
from tests.configuration.place import Place

FILE = """
[jobs]
threads = 3
lease = 20
[middleware]
use = ["probes"]
[middleware.options]
body_limit = { max_bytes = 1000, other = "file" }
[log.levels]
sqlalchemy = "INFO"
"""
ENVIRONMENT = {
    "JOBS": '{"threads": 5, "namespace": "env"}',
    "JOBS__THREADS": "6",
    "CACHE__QUERIES": "true",
    "CACHE__URL": "redis://h/0",
    "MIDDLEWARE__OPTIONS": '{"body_limit": {"max_bytes": 7}}',
    "MIDDLEWARE__OPTIONS__HEADER_LIMITS__MAX": "9",
    "MIDDLEWARE__OPTIONS__ERRORS": '{"a": 1}',
    "LOG__REDACT": '["pin"]',
    "STACK__DATA_DIR": "elsewhere",
    "STACK__RELEASE": "",
    "SECURITY__ISSUER": "[not JSON",
    "LOG__LEVEL": "DEBUG",
}


def test_what_is_read_is_what_an_application_begins_with(place: Place) -> None:
    """Every field: of the file, of variables, of whole rooms and parts of fields in JSON, of nobody."""
    place.says(FILE)
    place.environment(**ENVIRONMENT)
    settings = Settings()
    found = effective(read_sources())
    assert found.problems == {}
    assert found.values == {f"{room}.{name}": value for room, values in settings for name, value in values}
    fields = present().fields
    assert [fields[name].source for name in ("jobs.threads", "jobs.lease", "middleware.use", "jobs.grace")] == [
        "environment",
        "file",
        "file",
        "default",
    ]
    assert fields["stack.release"].source == "default", "what is empty is not set"


def test_a_variable_in_lower_case_is_one(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """As settings read it."""
    monkeypatch.setenv("postrmagic_jobs__threads", "6")
    assert Settings().jobs.threads == 6
    assert read_sources().variables["jobs.threads"] == ("postrmagic_jobs__threads",)


WRONG = {
    "field": ("[jobs]\nthreads = 'many'\nlease = 20\n", "jobs.threads"),
    "unknown field": ("[jobs]\ncolour = 1\nlease = 20\n", "jobs.colour"),
    "unknown room": ("[cahce]\nx = 1\n[jobs]\nlease = 20\n", "cahce"),
    "line": ("[jobs]\nthreads = \nlease = 20\n", "postrmagic.toml"),
    "end": ("[jobs]\nlease = 20\nthreads = '''", "postrmagic.toml"),
    "no table": ("cache = 1\n[jobs]\nlease = 20\n", "cache"),
    "deep": ("[jobs]\nlease = 20\n[middleware.options]\na = { b = 1, b = 2 }\n", "postrmagic.toml"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_right_beside_what_is_wrong_is_told(place: Place, kind: str) -> None:
    """An application does not begin; what can be read is read all the same."""
    text, problem = WRONG[kind]
    place.says(text)
    now = place.now()
    assert now.fields["jobs.lease"].value == 20.0
    assert now.fields["jobs.lease"].source == "file"
    assert problem in now.problems
    with pytest.raises((SettingsError, ValueError)):
        Settings()


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("JOBS__THREADS", "many", "jobs.threads"),
        ("JOBS", "{", "JOBS"),
        ("CAHCE__URL", "x", "POSTRMAGIC_CAHCE__URL"),
        ("LOG__COLOUR", "x", "log.colour"),
        ("MIDDLEWARE__USE", "[1", "middleware.use"),
        ("CONFIG", "nowhere.toml", "POSTRMAGIC_CONFIG"),
    ],
)
def test_a_wrong_variable_stops_nobody_who_only_looks(place: Place, variable: str, value: str, problem: str) -> None:
    """It is named, and what is wrong; other variables hold."""
    place.environment(**{variable: value, "CACHE__TIMEOUT": "0.25"})
    now = place.now()
    assert now.fields["cache.timeout"].value == 0.25
    assert [name for name in now.problems if problem in name], now.problems


def test_what_is_refused_together_ends(place: Place) -> None:
    """Given a room whose fields are right each and wrong together, when it is read, then it is told, and its own."""

    class Room(BaseModel):
        low: int = 1
        high: int = 2

        @model_validator(mode="after")
        def ordered(self) -> Self:
            if self.low > self.high:
                raise ValueError("low is above high")
            return self

    problems: dict[str, str] = {}
    assert made_of("x", Room, {"low": 5}, problems) == Room()
    assert problems == {"x": "low is above high"}


def test_bytes_that_are_no_text_are_a_problem(place: Place) -> None:
    """The line is left out, and the rest read."""
    place.file.write_bytes(b"[jobs]\nlease = 20\n# \xff\nthreads = 3\n")
    now = place.now()
    assert (now.fields["jobs.lease"].value, now.fields["jobs.threads"].value) == (20.0, 3)
    assert "UTF-8" in now.problems["postrmagic.toml"]


def test_a_file_that_is_nothing_but_wrong_ends(place: Place) -> None:
    """After some lines; nothing is taken of it."""
    place.says("= 1\n" * 2000 + "[jobs]\nlease = 20\n" + "[" * 5000)
    now = place.now()
    assert now.fields["jobs.lease"].source == "default"
    assert "postrmagic.toml" in now.problems


def test_versions_are_looked_for_where_the_settings_say(place: Place) -> None:
    """Also while they are wrong, and elsewhere if that is said."""
    place.says("[stack]\ndata_dir = 'data'\n[jobs]\nthreads = 'x'\n")
    assert place.now().directory == Path("data/settings")
    assert present(data_dir=Path("other")).directory == Path("other/settings")


def test_looking_makes_no_key(place: Place) -> None:
    """In development the application makes one; until then nothing can be told of secrets."""
    place.environment(SECURITY__KEYS=None)
    assert place.now().masker.keys == ()
    assert not (place.directory / "var").exists()
    place.begin()
    assert len(place.now().masker.keys) == 1
