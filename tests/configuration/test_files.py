"""Files of versions: what is none is named and skipped, and one of a later release is read as far as it goes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postrmagic_core.configuration import Field, Version, VersionFiles
from postrmagic_core.configuration.written import Named, as_json, fingerprint, from_json
from postrmagic_core.errors import DecodeError
from postrmagic_core.testing.clock import FakeClock
from tests.configuration.place import Place

NOW = FakeClock().now


def written(place: Place) -> tuple[Path, dict[str, Any]]:
    """The file of the first version, and what it says."""
    place.begin()
    path = next(place.versions.glob("0001-*.json"))
    return path, json.loads(path.read_text())


HOSTILE: dict[str, Any] = {
    "empty": b"",
    "half": b'{"format": 1, "num',
    "no UTF-8": b"\xff\xfe{}",
    "a list": b"[]",
    "a number": b"7",
    "nested": b"[" * 100_000,
    "nothing": b"{}",
    "no fields": b'{"format": 1, "fields": 3}',
    "a format that is none": b'{"format": "x", "fields": {}}',
    "of bytes": os.urandom(300),
    "too large": b" " * (1024 * 1024 + 1),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_no_version_is_named_and_skipped(place: Place, kind: str) -> None:
    """The others are read, and the next begins as ever."""
    place.begin()
    (place.versions / "0002-aaaaaaaaaaaa.json").write_bytes(HOSTILE[kind])
    found = place.history()
    assert [one.number for one in found.versions] == [1]
    (fault,) = found.faults
    assert fault.startswith("0002-aaaaaaaaaaaa.json: it is ")
    assert place.begin("[jobs]\nthreads = 9\n") == 3


@pytest.mark.parametrize("kind", ["link", "pipe", "directory", "name", "escapes"])
def test_what_is_no_file_of_ours_is_not_opened(place: Place, kind: str, tmp_path: Path) -> None:
    """No link is followed, no pipe waited for, and a name cannot steer a terminal."""
    path, _ = written(place)
    other = place.versions / "0002-aaaaaaaaaaaa.json"
    if kind == "link":
        other.symlink_to(path)
    elif kind == "pipe":
        os.mkfifo(other)
    elif kind == "directory":
        other.mkdir()
    elif kind == "name":
        (place.versions / "notes.json").write_text("{}")
    else:
        (place.versions / "\x1b[31m\n.json").write_text("{}")
    found = place.history()
    assert len(found.versions) == len(found.faults) == 1
    assert found.faults[0].isprintable()


@pytest.mark.parametrize(
    "edit",
    [
        {"number": 7},
        {"fingerprint": "0" * 12},
        {"first_seen": "yesterday"},
        {"fields": {}},
        {"fields": {"jobs.threads": {"value": 1, "from": "elsewhere"}}},
        {"fields": {"jobs.threads": {"value": {"$masked": 5}, "from": "file"}}},
        {"fields": {"jobs.threads": {"value": {"$masked": [{"k": 5}]}, "from": "file"}}},
        {"fields": {"jobs.threads": {"value": {"$new": 5}, "from": "file"}}},
        {"fields": {"jobs.threads": {"value": {"$date": "x"}, "from": "file"}}},
        {"fields": {"jobs.threads": 5}},
    ],
)
def test_a_version_that_was_edited_is_none(place: Place, edit: dict[str, Any]) -> None:
    """Its fingerprint is of its values: who changes one is found out."""
    path, told = written(place)
    path.write_text(json.dumps(told | edit))
    found = place.history()
    assert (found.versions, len(found.faults)) == ((), 1)


def test_a_version_of_a_later_release_is_shown_as_far_as_it_is_understood(place: Place) -> None:
    """Fields and kinds of values that are not known are left out, and it says that it is newer."""
    path, told = written(place)
    told["format"] = 2
    told["fields"]["jobs.threads"] = {"value": {"$quantum": 1}, "from": "file"}
    told["fields"]["jobs.lease"] = {"value": 3, "from": "vault"}
    told["fields"]["space.warp"] = {"value": 9, "from": "file", "since": "3.0"}
    told["more"] = {"x": 1}
    path.write_text(json.dumps(told))
    (version,) = place.history().versions
    assert version.newer
    assert {"jobs.threads", "jobs.lease"} & version.fields.keys() == set()
    assert version.fields["space.warp"] == Field(9, "file")


@pytest.mark.parametrize("seconds", [10**14, -(10**14)])
@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="not every file system has such times")
def test_a_time_that_no_calendar_has_hides_nothing(place: Place, seconds: int) -> None:
    """Given a clock that was wrong by ages, when the history is read, then the version is there."""
    path, _ = written(place)
    with TemporaryDirectory(dir="/dev/shm") as memory:
        for one in (path, path.with_name(f"{path.stem}.web.seen")):
            copy = Path(memory, one.name)
            copy.write_bytes(one.read_bytes())
            os.utime(copy, (seconds, seconds))
        (version,) = VersionFiles(Path(memory)).read().versions
    assert version.last_seen.year in {1, 9999}


def test_no_directory_is_no_history(tmp_path: Path) -> None:
    """And a file in its place is a fault."""
    assert VersionFiles(tmp_path / "none").read() == VersionFiles(tmp_path / "none").read()
    (tmp_path / "file").write_text("")
    assert VersionFiles(tmp_path / "file").read().faults != ()


def test_who_makes_up_kinds_fills_no_disk(place: Place) -> None:
    """After some, no more are noted."""
    for number in range(40):
        place.begin(by=f"kind-{number}")
    assert 5 < len(place.version(1).seen_by) <= 16
    assert len(list(place.versions.iterdir())) < 20


NAMES = st.text(max_size=9) | st.just("$masked")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.datetimes() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=40)
@given(VALUES)
def test_every_value_comes_back(value: Any) -> None:
    """Also names that look like our marks."""
    fields = {"middleware.options": Field(value, "file")}
    version = Version(3, fingerprint(fields), NOW, NOW, "1", "2", ("k",), fields)
    assert from_json(as_json(version), Named(3, version.fingerprint, NOW, {})) == version


@settings(max_examples=40)
@given(st.recursive(st.none() | st.integers() | st.text(), lambda one: st.dictionaries(NAMES, one), max_leaves=4))
def test_no_json_does_more_than_be_refused(told: Any) -> None:
    """Whatever it says."""
    with pytest.raises(DecodeError):
        from_json(json.dumps({"format": 1, "fields": told}).encode(), Named(1, "a" * 12, NOW, {}))
