"""Backups that somebody made who has the key: whatever their index says, it leads nowhere else and costs little."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from postrmagic_core._crypto import KeyRing
from postrmagic_core.backups.archive import form, open_archive
from postrmagic_core.backups.archive.form import HEADER, INDEX, LAST, PIECE, TRAILER, Header
from postrmagic_core.errors import BackupDamaged
from tests.backups.archive.shelf import Shelf, changed

DATA = b"rows of a database"
Change = Callable[[dict[str, Any]], object]


def made(keys: KeyRing, change: Change, *, more: bytes = b"") -> bytes:
    """A backup of one entry whose index ``change`` has had a hand in; ``more`` stands behind its data."""
    header = Header.new(keys)
    body = form.sealed(keys, header, 0, DATA) + more
    index = {
        "id": header.id.hex(),
        "taken_at": "2026-11-29T22:31:31+00:00",
        "service": "shop",
        "release": "1",
        "database": {"kind": "sqlite", "server": "3", "tables": {"a": 1}, "revisions": {"v": ["1"]}, "how": "copy"},
        "directories": ["media"],
        "notes": ["a note"],
        "entries": [["database/app.db", len(DATA), hashlib.sha256(DATA).hexdigest()]],
        "chunks": [len(body)],
    }
    change(index)
    end = form.sealed(keys, header, 0, json.dumps(index).encode(), flags=INDEX | LAST)
    return header.packed + body + end + (HEADER + len(body)).to_bytes(TRAILER, "big")


def named(name: str) -> Change:
    """One more entry, empty, of this name."""
    return lambda index: index["entries"].append([name, 0, hashlib.sha256(b"").hexdigest()])


def test_it_is_read_if_nothing_is_changed(keys: KeyRing) -> None:
    """So that the others fail for what they change."""
    changed(made(keys, lambda index: None), keys)


@pytest.mark.parametrize(
    "name", ["/etc/x", "files/media/../../x", "files//x", "files/media/", ".", "a\\b", "a\0b", "files/\ud800"]
)
def test_an_entry_leads_nowhere_else(name: str, keys: KeyRing) -> None:
    """Given the name of a path that leads out, or that no file system of ours can write, then it is damage."""
    with pytest.raises(BackupDamaged, match="of an entry"):
        changed(made(keys, named(name)), keys)


@pytest.mark.parametrize("name", ["/etc", "..", "../../etc", "a/../../b", "a/b", "", ".", "a\0b", "\ud800"])
def test_a_directory_is_below_where_a_drill_puts_it(name: str, keys: KeyRing) -> None:
    """Given a directory whose name is a path, then it is damage: a drill makes one of that name in its own place."""
    with pytest.raises(BackupDamaged, match="of a directory"):
        changed(made(keys, lambda index: index.update(directories=["media", name])), keys)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-11-29T22:31:31"])
def test_a_moment_is_one_in_utc(moment: str, keys: KeyRing) -> None:
    """Given a time that UTC does not have, or of no zone, then it is damage here and no error where it is shown."""
    with pytest.raises(BackupDamaged, match="in the index"):
        changed(made(keys, lambda index: index.update(taken_at=moment)), keys)


def test_a_moment_of_another_zone_is_told_in_utc(keys: KeyRing) -> None:
    """Given an offset, then the manifest has the same moment without it."""
    reader = changed(made(keys, lambda index: index.update(taken_at="2026-11-30T00:31:31+02:00")), keys)
    assert reader.manifest.taken_at.isoformat() == "2026-11-29T22:31:31+00:00"


def test_a_chunk_is_not_read_where_it_is_too_long(keys: KeyRing) -> None:
    """Given a chunk as long as the file, when the backup is opened, then no more than its ends were asked for."""
    asked: list[int] = []

    class Watched(Shelf):
        def read(self, name: str, offset: int, size: int) -> bytes:
            asked.append(size)
            return super().read(name, offset, size)

    shelf = Watched()
    shelf.files["b"] = made(keys, lambda index: None, more=bytes(4 * PIECE))
    with pytest.raises(BackupDamaged, match="shorter or longer"):
        open_archive(shelf, "b", keys).verify()
    assert max(asked) < PIECE


def test_what_is_wrong_is_told_in_a_line(keys: KeyRing) -> None:
    """Given a name of a million letters that is refused, then the message has the beginning of it."""
    with pytest.raises(BackupDamaged) as caught:
        changed(made(keys, named("x" * 1_000_000 + "/")), keys)
    assert len(str(caught.value)) < 500


ODD: list[Any] = [
    None,
    True,
    -1,
    0,
    1.5,
    float("nan"),
    2**64,
    10**400,
    "",
    "x",
    "\ud800",
    [],
    {},
    [[]],
    {"": ""},
    [None],
    "1" * 999,
]


def _garbled(index: dict[str, Any], random: Random) -> None:
    """Something somewhere in it is another thing, is missing or there twice."""
    place: Any = index
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = random.choice(keys)
        inner = place[key]
        if not isinstance(inner, (dict, list)) or not inner or random.random() < 0.3:
            break
        place = inner
    what = random.randrange(4)
    if what == 0:
        del place[key]
    elif what == 1 and isinstance(place, list):
        place.append(inner)
    else:
        place[key] = random.choice(ODD)


@pytest.mark.parametrize("rounds", [400, pytest.param(20_000, marks=pytest.mark.soak)])
def test_an_index_is_understood_or_refused(rounds: int, keys: KeyRing) -> None:
    """Given an index with anything in place of anything, then the backup is read, every byte, or it is damage."""
    random = Random(16)
    refused = 0
    for _ in range(rounds):
        try:
            reader = changed(made(keys, lambda index: _garbled(index, random)), keys)
        except BackupDamaged:
            refused += 1
        else:
            assert all(name and "/" not in name for name in reader.manifest.directories)
            for entry in reader.manifest.entries:
                b"".join(reader.blocks(entry))
    assert rounds / 4 < refused < rounds
