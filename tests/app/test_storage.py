"""Files: placed whole, named by us, swept when a crash left them behind."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from media_library.storage import Damaged, Storage
from postrmagic_core.errors import BackendError

DIGEST = "ab" * 32


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """An empty storage."""
    made = Storage(tmp_path / "media")
    made.prepare()
    return made


def arrived(storage: Storage, name: str = "arriving", data: bytes = b"picture") -> Path:
    """A file that has arrived."""
    path = storage.incoming / name
    path.write_bytes(data)
    return path


def test_a_placed_file_is_private_whole_and_not_executable(storage: Storage) -> None:
    """The same content may be placed again; the temporary name stays for another try."""
    file = arrived(storage)
    for _ in range(2):
        storage.place(file, storage.blob(DIGEST))
    assert storage.blob(DIGEST).read_bytes() == b"picture"
    assert stat.S_IMODE(storage.blob(DIGEST).stat().st_mode) == 0o600
    assert file.exists()


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "AB" * 32, "ab" * 31, "ab" * 32 + ".html", "ab" * 32 + "\n"])
def test_a_name_that_is_no_digest_is_never_a_path(storage: Storage, name: str) -> None:
    """Names come from hashes only."""
    with pytest.raises(ValueError, match="SHA-256"):
        storage.blob(name)


def test_removing_takes_the_renditions_too_and_missing_ones_are_fine(storage: Storage) -> None:
    """Nothing derived outlives its original."""
    storage.place(arrived(storage), storage.blob(DIGEST))
    storage.place(arrived(storage, "webp"), storage.rendition(DIGEST, "webp"))
    storage.remove(DIGEST)
    storage.remove(DIGEST)
    assert not storage.blob(DIGEST).exists()
    assert not storage.rendition(DIGEST, "webp").exists()


def test_sweeping_removes_old_leftovers_and_asks_before_it_touches_a_blob(storage: Storage) -> None:
    """Young files may belong to an upload under way: only old ones go, and blobs only if no row names them."""
    young, old = arrived(storage, "young"), arrived(storage, "old")
    storage.place(old, storage.blob(DIGEST))
    storage.place(arrived(storage, "other", b"kept"), storage.blob("cd" * 32))
    past = time.time() - 7200
    for path in (old, storage.blob(DIGEST), storage.blob("cd" * 32)):
        os.utime(path, (past, past))
    asked: list[str] = []

    def discard(digests: Sequence[str]) -> int:
        asked.extend(digests)
        return 0

    assert storage.sweep(discard) == 2
    assert sorted(asked) == [DIGEST, "cd" * 32]
    assert young.exists()
    assert not old.exists()


def test_a_rendition_without_its_original_is_swept_too(storage: Storage) -> None:
    """A worker may die between making it and finding that the original has gone."""
    for format_ in ("jpeg", "webp"):
        storage.place(arrived(storage, format_), storage.rendition(DIGEST, format_))
    asked: list[str] = []

    def discard(digests: Sequence[str]) -> int:
        asked.extend(digests)
        return len(digests)

    assert storage.sweep(discard, now=time.time() + 7200) == 1 + 2
    assert asked == [DIGEST]


def test_a_file_is_intact_while_its_content_is_that_of_its_name(storage: Storage) -> None:
    """Changed or missing, it is refused, and the error names which one it is."""
    digest = hashlib.sha256(b"picture").hexdigest()
    storage.place(arrived(storage), storage.blob(digest))
    assert storage.intact(digest).read_bytes() == b"picture"
    storage.blob(digest).write_bytes(b"Picture")
    with pytest.raises(Damaged, match=digest):
        storage.intact(digest)
    storage.remove(digest)
    with pytest.raises(Damaged, match=digest):
        storage.intact(digest)


def test_a_file_that_did_not_arrive_is_an_error_of_the_disk(storage: Storage) -> None:
    """Told as one of ours, for whoever answers the request."""
    with pytest.raises(BackendError):
        storage.place(storage.incoming / "absent", storage.blob(DIGEST))
    assert not storage.blob(DIGEST).exists()
