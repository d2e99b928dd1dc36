"""Whatever is changed in a backup's file is found, and a key that is missing is told from damage."""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from postrmagic_core._crypto import KeyRing
from postrmagic_core.backups.archive import form, open_archive
from postrmagic_core.backups.archive.form import COMPRESSED, HEADER, INDEX, LAST, PIECE, TRAILER, Header
from postrmagic_core.errors import BackupDamaged, BackupKeyUnknown
from tests.backups.archive.shelf import Shelf, changed
from tests.backups.conftest import KEY

TOLD = {"database/rows": b"x" * 250, "files/media/empty": b"", "files/media/a.png": bytes(range(256)) * 2}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 200 bytes, so that a file that is tried byte by byte has several of each sort."""
    for module in ("form", "index", "reader", "writer"):
        monkeypatch.setattr(f"postrmagic_core.backups.archive.{module}.PIECE", 200)


@pytest.fixture
def data(keys: KeyRing, small: None) -> bytes:
    """The file of a backup of four data chunks and three of the index."""
    shelf = Shelf()
    shelf.put("b", keys, TOLD)
    data = shelf.files["b"]
    changed(data, keys)
    return data


def chunks(data: bytes) -> list[bytes]:
    """The chunks of a file, those of the index too."""
    found, at = [], HEADER
    while at < len(data) - TRAILER:
        size = form.HEAD + form.measured(data[at : at + form.HEAD])[0]
        found.append(data[at : at + size])
        at += size
    return found


def joined(data: bytes, parts: list[bytes]) -> bytes:
    """A file of ``parts`` with the header and the trailer of ``data``."""
    return data[:HEADER] + b"".join(parts) + data[-TRAILER:]


def flipped(data: bytes, at: int, mask: int) -> bytes:
    """``data`` with one byte changed."""
    return data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]


def test_a_byte_that_flipped_is_found_wherever_it_is(data: bytes, keys: KeyRing) -> None:
    """Given every third byte of a file in turn, when a bit of it flips, then the file is damaged and nothing else."""
    for at in range(0, len(data), 3):
        with pytest.raises(BackupDamaged, match="at byte"):
            changed(flipped(data, at, 1 << at % 8), keys)


@pytest.mark.soak
def test_every_bit_that_flipped_is_found(data: bytes, keys: KeyRing) -> None:
    """Given every bit of a file in turn, and every byte turned over, then each is found."""
    for at, mask in itertools.product(range(len(data)), [1, 2, 4, 8, 16, 32, 64, 128, 255]):
        with pytest.raises(BackupDamaged, match="at byte"):
            changed(flipped(data, at, mask), keys)


def test_a_cut_is_found_wherever_it_is(data: bytes, keys: KeyRing) -> None:
    """Given a file that ends early, at any byte, then it is damaged."""
    for length in range(len(data)):
        with pytest.raises(BackupDamaged, match="at byte"):
            changed(data[:length], keys)


@pytest.mark.parametrize("more", [b"\0", b"\0" * 8, b"PMBACKUP", b"x" * 5000])
def test_what_was_appended_is_found(more: bytes, data: bytes, keys: KeyRing) -> None:
    """Given bytes behind the trailer, or the trailer once more, then the file is damaged."""
    for longer in (data + more, data + data[-TRAILER:], data + data):
        with pytest.raises(BackupDamaged):
            changed(longer, keys)


def test_chunks_that_moved_are_found(data: bytes, keys: KeyRing) -> None:
    """Given any two chunks that changed places, one left out, or one there twice, then the file is damaged."""
    parts = chunks(data)
    assert len(parts) >= 6
    for one, other in itertools.combinations(range(len(parts)), 2):
        moved = list(parts)
        moved[one], moved[other] = moved[other], moved[one]
        with pytest.raises(BackupDamaged):
            changed(joined(data, moved), keys)
    for one in range(len(parts)):
        for ill in (parts[:one] + parts[one + 1 :], parts[: one + 1] + parts[one:]):
            with pytest.raises(BackupDamaged):
                changed(joined(data, ill), keys)


def test_chunks_of_another_backup_are_found(data: bytes, keys: KeyRing) -> None:
    """Given another backup of the same things under the same key, when one of its chunks stands here, it is found."""
    shelf = Shelf()
    shelf.put("other", keys, TOLD)
    other = shelf.files["other"]
    parts, others = chunks(data), chunks(other)
    for one in range(min(len(parts), len(others))):
        with pytest.raises(BackupDamaged):
            changed(joined(data, [*parts[:one], others[one], *parts[one + 1 :]]), keys)
    for mixed in (other[:HEADER] + data[HEADER:], data[:HEADER] + other[HEADER:]):
        with pytest.raises(BackupDamaged):
            changed(mixed, keys)


def test_a_chunk_that_moved_is_found_by_who_reads_a_part(keys: KeyRing) -> None:
    """Given two chunks of one size that changed places, when an entry's end alone is read, then it is refused."""
    shelf = Shelf()
    shelf.put("b", keys, {"files/a/0": Random(1).randbytes(3 * PIECE)})
    one, two, *rest = chunks(shelf.files["b"])
    assert len(one) == len(two)
    shelf.files["b"] = joined(shelf.files["b"], [two, one, *rest])
    reader = open_archive(shelf, "b", keys)
    with pytest.raises(BackupDamaged, match="chunk 1, of 'files/a/0'"):
        list(reader.blocks(reader.manifest.entries[0], PIECE))


def test_damage_is_told_with_its_place(keys: KeyRing) -> None:
    """Given a flipped byte in the second of three chunks, then byte, chunk and entry are told, others are read."""
    shelf = Shelf()
    told = {"files/a/0": b"x" * PIECE, "files/a/1": b"y" * PIECE, "files/a/2": b"z" * PIECE}
    shelf.put("b", keys, told)
    one, two, _, _ = chunks(shelf.files["b"])
    begin = HEADER + len(one)
    shelf.files["b"] = flipped(shelf.files["b"], begin + len(two) // 2, 16)
    reader = open_archive(shelf, "b", keys)
    where = re.escape(f"backup b is damaged at byte {begin:,}, chunk 1, of 'files/a/1'")
    with pytest.raises(BackupDamaged, match=where):
        reader.verify()
    first, second, third = reader.manifest.entries
    with pytest.raises(BackupDamaged, match=where):
        list(reader.blocks(second))
    assert b"".join(reader.blocks(first)) + b"".join(reader.blocks(third)) == told[first.name] + told[third.name]


def test_damage_after_opening_is_found(data: bytes, keys: KeyRing) -> None:
    """Given an open backup, when its index or header is damaged then, verify reads them again."""
    shelf = Shelf()
    for at in (10, len(data) - 40, len(data) - 1):
        shelf.files["b"] = data
        reader = open_archive(shelf, "b", keys)
        shelf.files["b"] = flipped(data, at, 1)
        with pytest.raises(BackupDamaged):
            reader.verify()


def test_a_wrong_key_says_so(data: bytes) -> None:
    """Given a ring without the key, then its id is told, and the file is not called damaged."""
    shelf = Shelf()
    shelf.files["b"] = data
    id = KeyRing([KEY]).key_id.hex()
    with pytest.raises(BackupKeyUnknown, match=f"key {id}, which is not among backups.keys") as caught:
        open_archive(shelf, "b", KeyRing(["another key of 32 letters or more"]))
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("length", [4, 8, 20, 100, 400, 512])
def test_a_beginning_that_was_lost_is_no_missing_key(length: int, data: bytes, keys: KeyRing) -> None:
    """Given a block of zeros over the end of the header and some chunks, then that is damage: no key is looked for."""
    at = HEADER - 4
    with pytest.raises(BackupDamaged, match="names another key than the chunks do"):
        changed(data[:at] + bytes(length) + data[at + length :], keys)


def test_rotated_keys_open_old_backups(keys: KeyRing) -> None:
    """Given a new key in front of the old one, then old backups open, and new ones are sealed with it."""
    shelf = Shelf()
    shelf.put("old", keys, TOLD)
    rotated = KeyRing(["a newer key of 32 letters or more", KEY])
    shelf.put("new", rotated, TOLD)
    for name in ("old", "new"):
        open_archive(shelf, name, rotated).verify()
    with pytest.raises(BackupKeyUnknown, match=rotated.key_id.hex()):
        open_archive(shelf, "new", keys)
    # One chunk alone under the other key of the ring, as if two backups had been put together.
    parts, others = chunks(shelf.files["old"]), chunks(shelf.files["new"])
    with pytest.raises(BackupDamaged, match="another key than the header says"):
        changed(joined(shelf.files["old"], [others[0], *parts[1:]]), rotated)


@pytest.mark.parametrize(
    "plain",
    [
        pytest.param(lambda: zlib.compress(bytes(PIECE + 1)), id="one byte too many"),
        pytest.param(lambda: zlib.compress(bytes(50 * PIECE)), id="a bomb"),
        pytest.param(lambda: zlib.compress(b"x") + b"more", id="something behind"),
        pytest.param(lambda: zlib.compress(b"x" * 900)[:-3], id="cut"),
        pytest.param(lambda: b"no zlib", id="nothing of the sort"),
    ],
)
def test_a_chunk_does_not_grow_beyond_its_bound(plain: Callable[[], bytes], keys: KeyRing) -> None:
    """Given a chunk sealed with the right key that inflates to more than a chunk has, then it is not inflated."""
    header = Header.new(keys)
    seal = keys.seal(plain(), purpose="backup", context=header.context(0, COMPRESSED))
    chunk = len(seal).to_bytes(4, "big") + bytes([COMPRESSED]) + seal
    with pytest.raises(form.Broken, match="decompressed"):
        form.opened(keys, header, 0, chunk)


@pytest.mark.parametrize("ill", [b"", b"{}", b"[]", b"null", b"\xff", b'{"id":1}', b"[" * 5000])
def test_an_index_that_is_none_is_damage(ill: bytes, keys: KeyRing) -> None:
    """Given an index sealed with the right key that has another shape, then it is told as damage, with its place."""
    header = Header.new(keys)
    data = header.packed + form.sealed(keys, header, 0, ill, flags=INDEX | LAST) + HEADER.to_bytes(TRAILER, "big")
    with pytest.raises(BackupDamaged, match=f"at byte {HEADER}, in the index"):
        changed(data, keys)


def test_the_newest_format_is_told(data: bytes, keys: KeyRing) -> None:
    """Given a file of a later format, then both formats are told."""
    with pytest.raises(BackupDamaged, match="its format is 2, and this release reads 1"):
        changed(data[:8] + b"\x02" + data[9:], keys)


def test_an_entry_that_was_not_what_was_hashed_is_found(keys: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given memory that changed a byte between the hash and the seal, then verify and reading say which entry."""
    monkeypatch.setattr(
        "postrmagic_core.backups.archive.writer.replace",
        lambda facts, id, entries: replace(
            facts, id=id, entries=tuple(replace(entry, sha256="0" * 64) for entry in entries)
        ),
    )
    shelf = Shelf()
    shelf.put("b", keys, {"files/a/x": b"12345"})
    reader = open_archive(shelf, "b", keys)
    for read in (reader.verify, lambda: list(reader.blocks(reader.manifest.entries[0]))):
        with pytest.raises(BackupDamaged, match="files/a/x"):
            read()
