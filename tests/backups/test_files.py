"""Files on their way into a backup: which are found, and that each is of one state."""

from __future__ import annotations

import errno
import io
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from postrmagic_core.backups import files
from postrmagic_core.backups.files import listed, reading
from postrmagic_core.backups.tree import Tree
from postrmagic_core.errors import BackupFailed, PostrMagicError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty directory."""
    (tmp_path / "media").mkdir()
    return tmp_path / "media"


def read(root: Path, name: str, now_us: int = 0) -> bytes | None:
    """All of a file, or ``None`` where it is gone."""
    with Tree(root) as tree, reading(tree, name, root.parent, now_us) as blocks:
        return None if blocks is None else b"".join(blocks)


def test_files_are_found_in_order(root: Path) -> None:
    """Given files in directories, when they are listed, then each is there once, by its relative name."""
    for name in ("b", "a/c/d", "a/b"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    (root / "empty").mkdir()
    assert listed(root, "media").files == [("a/b", 3), ("a/c/d", 5), ("b", 1)]
    assert listed(root, "media").size == 9


def test_links_and_devices_are_left_out_and_counted(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given links, a pipe and a socket, when files are listed, then they are not followed, but counted."""
    (tmp_path / "secret").write_text("outside")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "loop").symlink_to(root)
    (root / "dangling").symlink_to("nowhere")
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(root)  # a path for a socket is short
        server.bind("socket")
        found = listed(root, "media")
    assert found.files == []
    assert found.left_out == {"symbolic links": 3, "sockets, pipes and devices": 2}


def test_what_a_killed_restore_left_is_no_file(root: Path) -> None:
    """Given a draft of a restore, when files are listed, then it is none of them."""
    (root / f".photo.{'0a' * 16}.restoring").write_text("half")
    (root / ".photo.restoring").write_text("somebody's own")
    assert listed(root, "media").files == [(".photo.restoring", 14)]


@pytest.mark.parametrize(("name", "why"), [(b"caf\xe9", "UTF-8"), (b"a\\b", "backslash"), (b"caf\xe9/x", "UTF-8")])
def test_names_that_could_not_be_restored_are_refused(root: Path, name: bytes, why: str) -> None:
    """Given a name that other systems cannot have, when files are listed, then it is refused, and shown."""
    path = Path(os.fsdecode(os.fsencode(root) + b"/" + name))
    path.parent.mkdir(exist_ok=True)
    path.write_text("x")
    with pytest.raises(BackupFailed, match=why) as caught:
        listed(root, "media")
    assert repr(name.split(b"/")[0])[2:-1].replace("\\\\", "\\") in str(caught.value).replace("\\\\", "\\")


def test_a_directory_that_is_missing_is_refused(root: Path) -> None:
    """Given a directory that is not there, when files are listed, then it says which, and what to do."""
    with pytest.raises(BackupFailed, match=r"there is no directory .*nowhere.*POSTRMAGIC_BACKUPS__FILES"):
        listed(root / "nowhere", "media")
    (root / "file").write_text("x")
    with pytest.raises(BackupFailed, match="cannot be read"):
        listed(root / "file", "media")


def test_a_file_that_went_is_left_out(root: Path) -> None:
    """Given a file that went after it was listed, or became a link or a pipe, when it is read, then it is left out."""
    assert read(root, "gone") is None
    assert read(root, "no/directory") is None
    (root / "link").symlink_to("/etc/passwd")
    assert read(root, "link") is None
    os.mkfifo(root / "pipe")
    assert read(root, "pipe") is None
    (root / "inner").symlink_to("/etc")
    assert read(root, "inner/passwd") is None


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1, (4 << 20) + 1])
def test_a_file_is_read_whole(root: Path, size: int) -> None:
    """Given a file of any size, old or being written, when it is read, then every byte is."""
    content = os.urandom(size)
    (root / "file").write_bytes(content)
    assert read(root, "file") == content
    assert read(root, "file", time.time_ns() // 1000 + 3600 * 1_000_000) == content
    assert [path.name for path in root.parent.iterdir()] == ["media"]


@pytest.mark.parametrize("size", [10, 5 << 20])
def test_a_file_that_changes_is_read_again(root: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a file that changes while it is read, when it then rests, then what is read is the state at rest."""
    path = root / "file"
    path.write_bytes(b"a" * size)
    changes = [b"b" * (size + 1), b"c" * (size - 1)]
    _disturb(monkeypatch, lambda: changes and path.write_bytes(changes.pop(0)))
    assert read(root, "file") == b"c" * (size - 1)


@pytest.mark.parametrize("quiet", [False, True])
def test_a_file_that_always_changes_is_named(root: Path, quiet: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a file that never rests, when it is read, then the backup fails and names it, and says what is right."""
    path = root / "file"
    path.write_bytes(b"a" * (5 << 20))
    _disturb(monkeypatch, lambda: os.utime(path, ns=(0, time.time_ns())))
    with pytest.raises(BackupFailed, match=r"the file file changes.*renamed when they are whole"):
        read(root, "file", time.time_ns() // 1000 + 3600 * 1_000_000 if quiet else 0)


def _disturb(monkeypatch: pytest.MonkeyPatch, change: Callable[[], object]) -> None:
    real = files._blocks

    def blocks(file: IO[bytes]) -> Iterator[bytes]:
        yield from real(file)
        if isinstance(file, io.FileIO):
            change()

    monkeypatch.setattr(files, "_blocks", blocks)


def test_a_file_that_may_not_be_read_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a file that the disk does not give, when it is read, then the backup fails and names it."""
    (root / "file").write_text("x")

    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    with Tree(root) as tree:
        tree.place("file")
        monkeypatch.setattr(os, "open", refuse)
        with (
            pytest.raises(BackupFailed, match="file cannot be read: Permission denied"),
            reading(tree, "file", root.parent, 0),
        ):
            pass  # pragma: no cover - refused
        monkeypatch.undo()


@pytest.mark.parametrize("size", [10, 5 << 20])
@pytest.mark.parametrize(
    ("number", "kind", "told"),
    [(errno.EIO, BackupFailed, "file cannot be read"), (errno.ENOSPC, PostrMagicError, "file")],
)
def test_a_disk_that_fails_is_told(
    root: Path, size: int, number: int, kind: type[Exception], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a disk that fails while a file is read, or is full, when it is read, then our error names the file."""
    (root / "file").write_bytes(b"a" * size)

    def blocks(file: IO[bytes]) -> Iterator[bytes]:
        yield b"a"
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files, "_blocks", blocks)
    with pytest.raises(kind, match=told):
        read(root, "file", time.time_ns() // 1000 + 3600 * 1_000_000)


def descriptors() -> int:
    """How many this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_many_directories_need_few_descriptors(root: Path) -> None:
    """Given a hundred directories, when a file of each is read, then no descriptor is left open."""
    for number in range(100):
        (root / f"{number}/x").mkdir(parents=True)
        (root / f"{number}/x/y").write_text(str(number))
    before = descriptors()
    with Tree(root) as tree:
        for name, _ in listed(root, "media").files:
            with reading(tree, name, root, 0) as blocks:
                assert blocks is not None
                assert b"".join(blocks).decode() == name.split("/")[0]
        assert descriptors() <= before + 2
    assert descriptors() == before
