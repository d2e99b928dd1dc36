"""What goes into a backup comes out of it, whatever its sizes and names, and from any byte on."""

from __future__ import annotations

import gc
import hashlib
import os
import resource
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postrmagic_core._crypto import KeyRing
from postrmagic_core.backups.archive import ArchiveWriter, open_archive
from postrmagic_core.backups.archive.form import PIECE
from postrmagic_core.backups.interface import Archive, Entry, Vault
from postrmagic_core.backups.vaults.directory import DirectoryVault
from postrmagic_core.errors import BackupDamaged, BackupFailed, BackupNotFound
from postrmagic_core.testing.process import spawn
from postrmagic_core.testing.waiting import until
from tests.backups.archive.shelf import FACTS, Shelf
from tests.backups.conftest import KEY

RING = KeyRing([KEY])
EDGES = [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 7]

sizes = st.lists(st.one_of(st.integers(0, 3000), st.sampled_from(EDGES)), max_size=6)


def content(number: int, size: int) -> bytes:
    """Bytes that shrink for even numbers, and do not for odd ones."""
    if number % 2:
        return Random(number).randbytes(size)
    return (f"row {number};".encode() * (size // 5 + 1))[:size]


def pieces(data: bytes, step: int) -> Iterator[bytes]:
    """``data``, ``step`` bytes at a time."""
    return (data[at : at + step] for at in range(0, len(data), step))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sizes=sizes, step=st.sampled_from([977, 65_536, PIECE, 3 * PIECE]))
def test_any_entries_come_back(sizes: Sequence[int], step: int) -> None:
    """Given entries of any sizes, when they were written in blocks of any size, then each is read as it was."""
    shelf = Shelf()
    told = {f"files/media/{number}": content(number, size) for number, size in enumerate(sizes)}
    with shelf.create("b") as sink, ArchiveWriter(sink, RING) as archive:
        added = [archive.add(name, pieces(data, step)) for name, data in told.items()]
        manifest = archive.finish(FACTS)
    reader = open_archive(shelf, "b", RING)
    assert reader.manifest == manifest == replace(FACTS, id=archive.id, entries=tuple(added))
    reader.verify()
    for entry in reversed(reader.manifest.entries):
        assert b"".join(reader.blocks(entry)) == told[entry.name]
        assert (entry.size, entry.sha256) == (len(told[entry.name]), hashlib.sha256(told[entry.name]).hexdigest())


@pytest.mark.parametrize("skip", [0, 1, PIECE - 8, PIECE - 7, PIECE, 3 * PIECE + 5, 5 * PIECE, 5 * PIECE + 1])
def test_an_entry_is_read_from_any_byte_on(skip: int) -> None:
    """Given an entry over six chunks, when it is read from ``skip`` on, then nothing before it is given, or read."""
    shelf = Shelf()
    data = content(1, 5 * PIECE)
    shelf.put("b", RING, {"files/a/0": bytes(7), "files/a/1": data})
    entry = open_archive(shelf, "b", RING).manifest.entries[1]
    first = (7 + skip) // PIECE
    reader = open_archive(shelf, "b", RING)
    begin = reader._layout.bounds[first]
    shelf.files["b"] = bytes(begin) + shelf.files["b"][begin:]
    if skip:
        assert b"".join(reader.blocks(entry, skip)) == data[skip:]
    else:
        assert first == 0


def test_small_entries_share_a_chunk(keys: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a thousand small files, then they take a few chunks, and each chunk is opened once for all of them."""
    shelf = Shelf()
    told = {f"files/m/{number}": content(1, 2000) for number in range(1000)}
    shelf.put("b", keys, told)
    reads: list[int] = []
    read = shelf.read

    def counted(name: str, offset: int, size: int) -> bytes:
        reads.append(offset)
        return read(name, offset, size)

    monkeypatch.setattr(shelf, "read", counted)
    reader = open_archive(shelf, "b", keys)
    opened = len(reads)
    for entry in reader.manifest.entries:
        assert b"".join(reader.blocks(entry)) == told[entry.name]
    assert len(reads) - opened == 2


def test_names_that_are_no_utf8_come_back(keys: KeyRing) -> None:
    """Given a file whose name is bytes of another time, then it is told as the file system tells it."""
    shelf = Shelf()
    name = "files/media/" + os.fsdecode(b"gr\xfc\xdfe \xf0\x9f\x98\x80.png")
    shelf.put("b", keys, {name: b"x"})
    assert open_archive(shelf, "b", keys).manifest.entries[0].name == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/etc/passwd",
        "files/../../etc/passwd",
        "..",
        "files/./a",
        "files//a",
        "files/a/",
        "files/a\0b",
        "files\\..\\a",
    ],
)
def test_a_name_that_leads_elsewhere_is_neither_written_nor_read(
    name: str, keys: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given such a name, then it cannot be added; and where a backup has it all the same, that is not opened."""
    shelf = Shelf()
    with shelf.create("b") as sink, ArchiveWriter(sink, keys) as archive:
        with pytest.raises(BackupFailed, match="cannot be in a backup"):
            archive.add(name, ())
        archive.add("files/good", ())
        archive.finish(FACTS)
    assert [entry.name for entry in open_archive(shelf, "b", keys).manifest.entries] == ["files/good"]
    monkeypatch.setattr("postrmagic_core.backups.archive.writer.refusal", lambda _: None)
    shelf.put("hostile", keys, {name: b"x"})
    with pytest.raises(BackupDamaged, match="of an entry"):
        open_archive(shelf, "hostile", keys)


def test_a_name_is_there_once(keys: KeyRing) -> None:
    """Given an entry, when another of its name is added, then that is refused and the backup has the first."""
    shelf = Shelf()
    with shelf.create("b") as sink, ArchiveWriter(sink, keys) as archive:
        archive.add("files/a/x", (b"1",))
        with pytest.raises(BackupFailed, match="twice"):
            archive.add("files/a/x", (b"2",))
        archive.finish(FACTS)
    reader = open_archive(shelf, "b", keys)
    assert [b"".join(reader.blocks(entry)) for entry in reader.manifest.entries] == [b"1"]


def test_nothing_follows_an_entry_that_failed(keys: KeyRing) -> None:
    """Given an entry whose bytes ended in an error, then the backup takes no more and cannot be finished."""

    def failing() -> Iterator[bytes]:
        yield b"half"
        raise OSError(5, "the disk")

    shelf = Shelf()
    with shelf.create("b") as sink, ArchiveWriter(sink, keys) as archive:
        with pytest.raises(OSError, match="the disk"):
            archive.add("files/a/x", failing())
        with pytest.raises(BackupFailed, match="not added whole"):
            archive.add("files/a/y", ())
        with pytest.raises(BackupFailed, match="not added whole"):
            archive.finish(FACTS)


def test_a_finished_one_takes_no_more(keys: KeyRing) -> None:
    """Given a backup that is finished, then nothing is written behind its end."""
    shelf = Shelf()
    with shelf.create("b") as sink, ArchiveWriter(sink, keys) as archive:
        archive.finish(FACTS)
        with pytest.raises(BackupFailed, match="it is finished"):
            archive.add("files/a/y", ())
        with pytest.raises(BackupFailed, match="it is finished"):
            archive.finish(FACTS)
    open_archive(shelf, "b", keys).verify()


def test_what_is_not_there_is_not_found(vault: Vault, keys: KeyRing) -> None:
    """Given a vault without it, then its name is told."""
    with pytest.raises(BackupNotFound, match="nothing"):
        open_archive(vault, "nothing", keys)


def test_reading_tells_how_far_it_is(vault: Vault, keys: KeyRing) -> None:
    """Given a backup in a directory, when it is verified, then the reports rise to the size of its file."""
    with vault.create("b") as sink, ArchiveWriter(sink, keys) as archive:
        archive.add("files/a/x", (content(1, 3 * PIECE),))
        archive.finish(FACTS)
    told: list[tuple[str, int, int | None]] = []
    reader: Archive = open_archive(vault, "b", keys)
    open_archive(vault, "b", keys).verify(lambda *how: told.append(how))
    size = vault.list()[0].size
    assert [done for _, done, _ in told] == sorted({done for _, done, _ in told})
    assert told[-1] == ("verify", size, size)
    assert reader.manifest.size == 3 * PIECE


def test_an_entry_of_another_backup_is_not_taken_for_one(keys: KeyRing) -> None:
    """Given an entry that this backup does not have, then its bytes are not given as if they were it."""
    shelf = Shelf()
    shelf.put("b", keys, {"files/a/x": b"12345"})
    reader = open_archive(shelf, "b", keys)
    for wrong in (Entry("files/a/x", 3, "0" * 64, 0, 0), Entry("files/a/x", 50, "0" * 64, 0, 0)):
        with pytest.raises(BackupDamaged):
            list(reader.blocks(wrong))


def ours() -> list[str]:
    """The threads of archives that are there."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("postrmagic-backup")]


def test_no_thread_is_left(keys: KeyRing) -> None:
    """Given writers and readers that ended, failed or were forgotten half way, then none of their threads goes on."""
    shelf = Shelf()
    shelf.put("b", keys, {"files/a/x": content(1, 8 * PIECE)})
    assert ours() == []
    reader = open_archive(shelf, "b", keys)
    begun = reader.blocks(reader.manifest.entries[0])
    next(begun)
    assert ours() != []
    begun.close()  # type: ignore[attr-defined] # a generator, told as what it gives
    assert ours() == []
    reader.verify()
    shelf.files["b"] = shelf.files["b"][: 3 * PIECE] + b"?" + shelf.files["b"][3 * PIECE + 1 :]
    with pytest.raises(BackupDamaged) as caught:
        reader.verify()
    assert ours() == []
    forgotten = ArchiveWriter(BytesIO(), keys)
    forgotten.add("files/a/x", (content(1, 3 * PIECE),))
    assert ours() != []
    del forgotten
    gc.collect()
    until(lambda: ours() == [], "a forgotten writer's threads go on")
    assert caught.traceback


def test_who_asks_for_what_ends_before_it_begins_gets_nothing(keys: KeyRing) -> None:
    """Given an entry, when it is read from beyond its end on, then nothing is given; before it, it is a mistake."""
    shelf = Shelf()
    shelf.put("b", keys, {"files/a/x": b"12345", "files/a/y": b"67890"})
    reader = open_archive(shelf, "b", keys)
    assert list(reader.blocks(reader.manifest.entries[0], 6)) == []
    with pytest.raises(ValueError, match="skip"):
        list(reader.blocks(reader.manifest.entries[1], -3))


def written_and_read(directory: str, size: int, shrinks: bool) -> None:
    """An entry of ``size`` bytes into a vault and out of it; tells by how many bytes the process grew."""
    vault, keys = DirectoryVault(directory), KeyRing([KEY])
    block = bytes(PIECE) if shrinks else os.urandom(PIECE)
    write = (block for _ in range(size // PIECE))
    with vault.create("warm") as sink, ArchiveWriter(sink, keys) as archive:
        archive.add("files/a/x", (content(1, 9 * PIECE),))
        archive.finish(FACTS)
    open_archive(vault, "warm", keys).verify()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with vault.create("large") as sink, ArchiveWriter(sink, keys) as archive:
        archive.add("files/a/x", write)
        archive.finish(FACTS)
    reader = open_archive(vault, "large", keys)
    reader.verify()
    assert sum(map(len, reader.blocks(reader.manifest.entries[0]))) == size
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    sys.stdout.write(f"{grown * 1024}\n")


@pytest.mark.parametrize("shrinks", [True, False])
@pytest.mark.parametrize(
    "pieces", [pytest.param(40, id="quick"), pytest.param(1024, marks=pytest.mark.soak, id="a gigabyte")]
)
def test_memory_is_bounded_whatever_the_size(pieces: int, shrinks: bool, tmp_path: Path) -> None:
    """Given an entry of a gigabyte, of zeros or of noise, then writing and reading it take a few chunks of memory."""
    with spawn(written_and_read, str(tmp_path / "vault"), pieces * PIECE, shrinks) as child:
        assert int(child.line(110)) < 24 * PIECE
