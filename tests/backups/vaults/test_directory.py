"""A vault in a directory: what it promises, and what is left by who was killed."""

from __future__ import annotations

import errno
import os
import resource
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from postrmagic_core._crypto import KeyRing
from postrmagic_core.backups.archive import open_archive
from postrmagic_core.backups.vaults import directory, open_vault
from postrmagic_core.backups.vaults.directory import DirectoryVault
from postrmagic_core.errors import (
    BackendReadOnly,
    BackendRejected,
    BackendUnavailable,
    BackupFailed,
    BackupNotFound,
    ConfigurationError,
    OutOfSpace,
    UnknownScheme,
)
from postrmagic_core.testing.contracts.vaults import Place, VaultContract
from postrmagic_core.testing.process import spawn
from tests.backups.archive.shelf import Shelf
from tests.backups.conftest import KEY
from tests.backups.vaults.writers import write, write_again_and_again, write_and_wait
from tests.disks import Ballast


@contextmanager
def full() -> Iterator[None]:
    """No file of this process grows beyond 100 kB: it is told as a full disk is, by another number."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class TestDirectoryVault(VaultContract):
    """A directory that is made when it is needed."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        """Below a directory that is not there either."""
        return Place(lambda: DirectoryVault(tmp_path / "above" / "vault"), full)


class TestWithoutLinks(VaultContract):
    """A file system that has no hard links."""

    @pytest.fixture
    def place(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
        """Links are refused as such a file system refuses them."""

        def refused(*_: object, **__: object) -> None:
            raise OSError(errno.EOPNOTSUPP, "no links")

        monkeypatch.setattr(os, "link", refused)
        return Place(lambda: DirectoryVault(tmp_path / "vault"), full)


class TestShelf(VaultContract):
    """What the tests of archives keep them in."""

    not_applicable: ClassVar = {"room": "memory is not filled here"}

    @pytest.fixture
    def place(self) -> Place:
        """One shelf for all."""
        shelf = Shelf()
        return Place(lambda: shelf)


def directory_of(tmp_path: Path) -> Path:
    """Where the fixture ``vault`` keeps its files."""
    return tmp_path / "vault"


def names(directory: Path) -> list[str]:
    """What is in it, hidden or not."""
    return sorted(entry.name for entry in directory.iterdir())


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path, vault: DirectoryVault) -> None:
    """Given kill -9 while writing, then the list is as it was, and the next create() removes what is left."""
    place = directory_of(tmp_path)
    with vault.create("before.backup") as sink:
        sink.write(b"whole")
    with spawn(write_and_wait, str(place)) as child:
        assert child.line() == "written"
        alive = names(place)
        assert len(alive) == 2
        with vault.create("meanwhile.backup") as sink:
            sink.write(b"while another is being written")
        assert names(place) == [alive[0], "before.backup", "meanwhile.backup"]
        child.kill()
    assert [stored.name for stored in vault.list()].count("killed.backup") == 0
    with pytest.raises(BackupNotFound):
        vault.read("killed.backup", 0, 1)
    with vault.create("killed.backup") as sink:
        sink.write(b"again")
    assert names(place) == ["before.backup", "killed.backup", "meanwhile.backup"]
    assert vault.read("before.backup", 0, 9) == b"whole"


@pytest.mark.parametrize("rounds", [pytest.param(3, id="quick"), pytest.param(60, marks=pytest.mark.soak, id="soak")])
def test_whenever_it_is_killed_each_backup_is_whole(rounds: int, tmp_path: Path, vault: DirectoryVault) -> None:
    """Given kill -9 at any moment, then all that were told are there, and all that are there are whole."""
    place, keys = directory_of(tmp_path), KeyRing([KEY])
    for number in range(rounds):
        with spawn(write_again_and_again, str(place)) as child:
            told = [int(child.line()) for _ in range(1 + number % 5)]
            child.kill()
            told += [int(line) for line in child.lines() if line.isdigit()]
        stored = {stored.name for stored in vault.list()}
        assert {f"{one:06}.backup" for one in told} <= stored
        assert len(stored) <= len(told) + 1
        for name in stored:
            open_archive(vault, name, keys).verify()
            vault.remove(name)
    with vault.create("last.backup"):
        pass
    assert names(place) == ["last.backup"]


def test_a_process_killed_between_name_and_end_leaves_the_backup(tmp_path: Path, vault: DirectoryVault) -> None:
    """Given a file that has its name and its unfinished one, when the latter is removed, then the former is whole."""
    with vault.create("b") as sink:
        sink.write(b"whole")
    place = directory_of(tmp_path)
    (place / ".b.4711.0badcafe.part").hardlink_to(place / "b")
    with vault.create("c"):
        pass
    assert names(place) == ["b", "c"]
    assert vault.read("b", 0, 9) == b"whole"


def test_who_sweeps_and_who_begins_do_not_meet(tmp_path: Path, vault: DirectoryVault) -> None:
    """Given many that begin and end at once, each removing what looks forgotten, then each has its file."""
    failed: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for turn in range(25):
                with vault.create(f"{number}-{turn}") as sink:
                    sink.write(b"x")
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert [stored.size for stored in vault.list()] == [1] * 100
    assert len(names(directory_of(tmp_path))) == 100


def test_a_new_file_that_was_swept_away_is_begun_again(
    tmp_path: Path, vault: DirectoryVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given one who sweeps between a file's making and its lock, then another is made, and that one is kept."""
    hold = directory._held
    swept: list[Path] = []

    def late(number: int) -> bool:
        if not swept:
            [mine] = directory_of(tmp_path).glob(".*.part")
            mine.unlink()
            swept.append(mine)
        return hold(number)

    monkeypatch.setattr(directory, "_held", late)
    with vault.create("b") as sink:
        sink.write(b"x")
    assert len(swept) == 1
    assert vault.read("b", 0, 9) == b"x"


def test_backups_are_their_owners_alone(tmp_path: Path, vault: DirectoryVault) -> None:
    """Given an open umask, then neither the directory nor a file, whole or not, may be read by others."""
    before = os.umask(0)
    try:
        with vault.create("b.backup") as sink:
            sink.write(b"x")
            modes = {stat.S_IMODE(path.stat().st_mode) for path in directory_of(tmp_path).iterdir()}
    finally:
        os.umask(before)
    assert modes == {0o600}
    assert stat.S_IMODE((directory_of(tmp_path) / "b.backup").stat().st_mode) == 0o600
    assert stat.S_IMODE(directory_of(tmp_path).stat().st_mode) == 0o700


def test_only_plain_files_are_backups(tmp_path: Path, vault: DirectoryVault) -> None:
    """Given links, directories, pipes and hidden files there, then none is listed, read, or taken for unfinished."""
    place = directory_of(tmp_path)
    place.mkdir()
    outside = tmp_path / "outside"
    outside.write_text("secret")
    (place / "link.backup").symlink_to(outside)
    (place / ".link.1.00000000.part").symlink_to(outside)
    (place / "directory.backup").mkdir()
    os.mkfifo(place / "pipe.backup")
    (place / ".hidden").write_text("mine")
    (place / ".b.backup.part").write_text("mine")
    there = names(place)
    assert list(vault.list()) == []
    for name in ("link.backup", "directory.backup", "pipe.backup", ".hidden"):
        with pytest.raises(BackupNotFound):
            vault.read(name, 0, 10)
    for name in ("link.backup", "directory.backup", "pipe.backup"):
        with pytest.raises(BackupFailed, match="is there already"), vault.create(name):
            raise AssertionError("it began to write it")
    assert names(place) == there
    assert outside.read_text() == "secret"


def test_what_the_disk_says_is_told_in_our_words(
    tmp_path: Path, vault: DirectoryVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given each way of failing at the end, then its error is ours, names the directory, and nothing is left."""
    place = directory_of(tmp_path)
    for number, wanted in {
        errno.ENOSPC: OutOfSpace,
        errno.EDQUOT: OutOfSpace,
        errno.EROFS: BackendReadOnly,
        errno.EACCES: BackendRejected,
        errno.EIO: BackendUnavailable,
    }.items():
        with monkeypatch.context() as patch:

            def failing(_: int, number: int = number) -> None:
                raise OSError(number, "failed")

            with pytest.raises(wanted, match=errno.errorcode[number]) as caught, vault.create("b"):
                patch.setattr(os, "fsync", failing)
            assert str(place) in str(caught.value)
        assert names(place) == []


def test_where_there_are_no_locks_nothing_is_left(
    tmp_path: Path, vault: DirectoryVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a file system that knows no flock(2), when a backup is begun, then that is told, and no file stays open."""

    def failing(number: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "failed")

    monkeypatch.setattr("postrmagic_core.backups.vaults.directory.fcntl.flock", failing)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counted
    for _ in range(3):
        with pytest.raises(BackendUnavailable, match="ENOLCK"), vault.create("b"):
            raise AssertionError("it began to write it")
    assert names(directory_of(tmp_path)) == []
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - counted


def test_a_directory_that_cannot_be_synced_has_no_new_backup(
    tmp_path: Path, vault: DirectoryVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a disk that fails once the file has its name, then nobody sees the file: it may be gone tomorrow."""
    fsync, synced = os.fsync, []

    def failing(number: int) -> None:
        synced.append(number)
        if len(synced) == 2:
            raise OSError(errno.EIO, "failed")
        fsync(number)

    with vault.create("before") as sink:
        sink.write(b"x")
    with pytest.raises(BackendUnavailable, match="EIO"), vault.create("b"):
        monkeypatch.setattr(os, "fsync", failing)
    assert len(synced) == 2
    assert names(directory_of(tmp_path)) == ["before"]


def test_a_file_that_stands_where_the_directory_should_is_told(tmp_path: Path) -> None:
    """Given a file in its place, then listing, writing and reading say so in our words."""
    (tmp_path / "file").write_text("")
    for vault in (DirectoryVault(tmp_path / "file"), DirectoryVault(tmp_path / "file" / "below")):
        with pytest.raises(BackendRejected, match="ENOTDIR"):
            vault.list()
        with pytest.raises(BackendRejected), vault.create("b"):
            raise AssertionError("it began to write it")
        with pytest.raises(BackendRejected, match="ENOTDIR"):
            vault.read("b", 0, 1)


@pytest.mark.soak
def test_a_full_disk_leaves_nothing(small_disk: Path) -> None:
    """Given a disk with room for one megabyte, when five are written, then none is left; with room again they fit."""
    vault, keys = DirectoryVault(small_disk / "vault"), KeyRing([KEY])
    with vault.create("before"):
        pass
    ballast = Ballast(small_disk, 1_000_000)
    ballast.load()
    with pytest.raises(OutOfSpace, match="ENOSPC"):
        write(vault, "b", 5_000_000)
    assert names(small_disk / "vault") == ["before"]
    ballast.drop()
    write(vault, "b", 5_000_000)
    open_archive(vault, "b", keys).verify()


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("file:///var/backups", "/var/backups"),
        ("file://localhost/var/backups/", "/var/backups"),
        ("file:///srv/a%20b%23%3F/gr%C3%BC%C3%9Fe", "/srv/a b#?/grüße"),
    ],
)
def test_a_url_names_a_directory(url: str, path: str) -> None:
    """Given a URL, then its path is meant, and nothing is made yet."""
    assert repr(open_vault(url)) == f"DirectoryVault({path!r})"


@pytest.mark.parametrize(
    "url", ["file://", "file:relative", "file://host/path", "file:///a?b=c", "file:///a#b", "file:///a%00b"]
)
def test_a_url_that_names_no_directory_is_refused(url: str) -> None:
    """Given anything else, then it is a mistake of the configuration."""
    with pytest.raises(ConfigurationError, match="file:///absolute/path"):
        open_vault(url)


def test_an_unknown_scheme_is_told() -> None:
    """Given a scheme that no package brings, then the known ones are told."""
    with pytest.raises(UnknownScheme, match="known: file"):
        open_vault("s3://bucket/backups")
