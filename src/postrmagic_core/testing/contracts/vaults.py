"""What a vault of backups is, as tests: subclass :class:`VaultContract`, say how yours is opened, and run it.

::

    class TestMyVault(VaultContract):
        @pytest.fixture
        def place(self, my_bucket):
            return Place(open=lambda: MyVault(my_bucket))
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

import pytest

from postrmagic_core._crypto import KeyRing
from postrmagic_core.backups.archive import ArchiveWriter, open_archive
from postrmagic_core.backups.interface import DatabaseFacts, Manifest, Sink, Vault
from postrmagic_core.errors import BackupNotFound, OutOfSpace, PostrMagicError
from postrmagic_core.registry import conformance

from .applicable import Applicable

_NAME = "postrmagic-20261129T223131Z-0badcafe.backup"
_OTHER = "postrmagic-20261130T223131Z-0badcafe.backup"
_LARGE = 3 * 1024 * 1024 + 17


@dataclass(frozen=True)
class Place:
    """Where a vault keeps backups: empty, and the test's own.

    ``open`` makes a vault there, each time another one. ``full`` has the place take no more for a block. ``secrets``
    are what its URL has that nobody may see.
    """

    open: Callable[[], Vault]
    full: Callable[[], AbstractContextManager[object]] | None = None
    secrets: tuple[str, ...] = ()


class VaultContract(Applicable):
    """Every promise of :class:`~postrmagic_core.backups.interface.Vault`.

    A subclass supplies the fixture ``place``. ``not_applicable`` maps rows to the reason why the vault has no such
    thing; they show as skipped. ``room``: the place can be made to take no more.
    """

    rows: ClassVar[tuple[str, ...]] = ("room",)

    @pytest.fixture
    def place(self) -> Place:
        """Override: a place where nobody else keeps backups during the test."""
        raise NotImplementedError("supply a fixture `place`: an empty place for the vaults of each test")

    @pytest.fixture
    def vault(self, place: Place) -> Vault:
        """A vault there."""
        return place.open()

    def test_it_has_what_the_protocol_has(self, vault: Vault) -> None:
        """The registry takes its class."""
        assert isinstance(vault, Vault)
        assert conformance(type(vault), Vault) == []

    @pytest.mark.parametrize("size", [0, 1, _LARGE])
    def test_what_was_written_is_read(self, place: Place, vault: Vault, size: int) -> None:
        """In one piece and in parts, by another vault of the same place; beyond the end there is nothing."""
        data = secrets.token_bytes(size)
        _write(vault, _NAME, data, step=1_000_003)
        vault = place.open()
        assert [(stored.name, stored.size) for stored in vault.list()] == [(_NAME, size)]
        assert vault.read(_NAME, 0, size) == data
        assert vault.read(_NAME, 0, size + 1) == data
        for begin, length in ((0, 29), (size // 2, 1 << 20), (max(size - 8, 0), 8), (max(size - 8, 0), 100), (5, 0)):
            assert vault.read(_NAME, begin, length) == data[begin : begin + length]
        assert vault.read(_NAME, size, 1) == vault.read(_NAME, size + 10, 10) == b""

    def test_an_empty_one_has_nothing(self, vault: Vault) -> None:
        """Also one in which nothing was ever written."""
        assert list(vault.list()) == []

    def test_a_backup_is_kept(self, vault: Vault) -> None:
        """A sealed archive goes in, and every byte of it comes out."""
        keys = KeyRing([secrets.token_urlsafe(32)])
        data = secrets.token_bytes(_LARGE)
        with vault.create(_NAME) as sink, ArchiveWriter(sink, keys) as archive:
            archive.add("files/media/a.png", (data,))
            archive.finish(
                Manifest("", datetime.now(UTC), "contract", "1", DatabaseFacts("sqlite", "", {}), ("media",), ())
            )
        reader = open_archive(vault, _NAME, keys)
        reader.verify()
        assert b"".join(reader.blocks(reader.manifest.entries[0])) == data

    def test_it_is_there_only_when_it_is_whole(self, place: Place, vault: Vault) -> None:
        """While it is written nobody sees it; when the block has ended everybody does."""
        other = place.open()
        with vault.create(_NAME) as sink:
            sink.write(b"1" * 100_000)
            assert list(other.list()) == list(vault.list()) == []
            with pytest.raises(BackupNotFound):
                other.read(_NAME, 0, 1)
            sink.write(b"2")
        assert [stored.size for stored in other.list()] == [100_001]

    @pytest.mark.parametrize("error", [RuntimeError, OSError, KeyboardInterrupt, SystemExit])
    def test_an_error_leaves_nothing(self, vault: Vault, error: type[BaseException]) -> None:
        """The block's error comes out as it is, nothing is there, and the name is free."""
        caught = error("in the middle")
        with pytest.raises(error) as raised:
            _half(vault, caught)
        assert raised.value is caught
        assert list(vault.list()) == []
        _write(vault, _NAME, b"whole")
        assert vault.read(_NAME, 0, 100) == b"whole"

    def test_nothing_is_written_over(self, vault: Vault) -> None:
        """A second file of a name is refused by an error of this package; the first is what it was."""
        _write(vault, _NAME, b"first")
        with pytest.raises(PostrMagicError):
            _write(vault, _NAME, b"second, and longer")
        assert vault.read(_NAME, 0, 100) == b"first"

    def test_of_two_that_write_a_name_one_has_it(self, place: Place, vault: Vault) -> None:
        """Whichever it is, it is whole, and the other is told by an error of this package."""
        other = place.open()
        ended = []
        with ExitStack() as refused:
            refused.enter_context(pytest.raises(PostrMagicError))
            with vault.create(_NAME) as one:
                one.write(b"1" * 70_000)
                with other.create(_NAME) as two:
                    two.write(b"2" * 90_000)
                ended.append(b"2" * 90_000)
                one.write(b"1" * 70_000)
            ended.append(b"1" * 140_000)
        assert len(ended) <= 1
        left = [vault.read(stored.name, 0, stored.size) for stored in vault.list()]
        assert left == ended

    def test_of_many_threads_one_has_a_name(self, vault: Vault) -> None:
        """Given eight that end at once, then one file is there, and it is the one of who was told nothing."""
        won: list[bytes] = []
        odd: list[BaseException] = []
        barrier = threading.Barrier(8)

        def write(mine: bytes) -> None:
            try:
                with vault.create(_NAME) as sink:
                    sink.write(mine)
                    barrier.wait(30)
                won.append(mine)
            except PostrMagicError:
                barrier.abort()
            except threading.BrokenBarrierError:
                pass
            except BaseException as error:
                odd.append(error)

        threads = [threading.Thread(target=write, args=(bytes([number]) * 9999,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert odd == []
        assert len(won) <= 1
        assert [vault.read(_NAME, 0, 10_000) for _ in vault.list()] == won

    def test_two_names_are_written_at_once(self, place: Place, vault: Vault) -> None:
        """Beginning one does not take another, that is being written, for what a killed process left."""
        with vault.create(_NAME) as one:
            one.write(b"1")
            with place.open().create(_OTHER) as two:
                two.write(b"2")
            one.write(b"1")
        assert {stored.name: vault.read(stored.name, 0, 9) for stored in vault.list()} == {_NAME: b"11", _OTHER: b"2"}

    def test_what_is_removed_is_gone(self, place: Place, vault: Vault) -> None:
        """For everybody, also who saw it before, and nothing else is; to remove it again is no error."""
        _write(vault, _NAME, b"1")
        _write(vault, _OTHER, b"2")
        assert {stored.name for stored in vault.list()} == {_NAME, _OTHER}
        assert vault.read(_NAME, 0, 1) == b"1"
        for _ in range(2):
            place.open().remove(_NAME)
        for looking in (vault, place.open()):
            assert [stored.name for stored in looking.list()] == [_OTHER]
            with pytest.raises(BackupNotFound):
                looking.read(_NAME, 0, 1)

    def test_what_is_not_there_is_not_found(self, vault: Vault) -> None:
        """Before anything was written, and after."""
        for _ in range(2):
            with pytest.raises(BackupNotFound):
                vault.read("postrmagic-nothing.backup", 0, 1)
            _write(vault, secrets.token_hex(4), b"x")

    @pytest.mark.parametrize(
        "name", ["", ".", "..", "../x", "/etc/passwd", "a/b", "a/../b", ".hidden", "a\0b", "x" * 5000, "\ud800"]
    )
    def test_no_name_leads_elsewhere(self, vault: Vault, name: str) -> None:
        """Nothing is written, found or removed by one that is not a plain file's."""
        with pytest.raises(PostrMagicError), vault.create(name):
            raise AssertionError("it began to write it")
        with pytest.raises(BackupNotFound):
            vault.read(name, 0, 1)
        vault.remove(name)
        assert list(vault.list()) == []

    def test_threads_read_at_once(self, vault: Vault) -> None:
        """Each gets what it asked for."""
        data = secrets.token_bytes(400_000)
        _write(vault, _NAME, data)
        wrong: list[object] = []

        def read(number: int) -> None:
            try:
                for at in range(number, 300_000, 17_001):
                    if vault.read(_NAME, at, 50_000) != data[at : at + 50_000]:
                        wrong.append(at)
            except Exception as error:
                wrong.append(error)

        threads = [threading.Thread(target=read, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []

    def test_no_secret_is_shown(self, place: Place, vault: Vault, caplog: pytest.LogCaptureFixture) -> None:
        """Not by its ``repr``, in no record of the log and in no error."""
        caplog.set_level(logging.DEBUG)
        said = [repr(vault), str(vault)]
        _write(vault, _NAME, b"1")
        for call in (lambda: vault.read("nothing", 0, 1), lambda: _write(vault, _NAME, b"2")):
            with pytest.raises(PostrMagicError) as caught:
                call()
            said += list(_chain(caught.value))
        said.append(caplog.text)
        for secret in place.secrets:
            assert not [text for text in said if secret in text]

    @pytest.mark.promise("room")
    def test_where_there_is_no_room_nothing_is_left(self, place: Place, vault: Vault) -> None:
        """:class:`OutOfSpace`; what was there is whole, and when there is room again it is written."""
        if place.full is None:
            raise NotImplementedError("supply `full`, or say in `not_applicable` why the place is never full")
        _write(vault, _OTHER, b"there before")
        with place.full(), pytest.raises(OutOfSpace):
            _write(vault, _NAME, secrets.token_bytes(_LARGE), step=65_536)
        assert [stored.name for stored in vault.list()] == [_OTHER]
        assert vault.read(_OTHER, 0, 100) == b"there before"
        _write(vault, _NAME, b"after")
        assert vault.read(_NAME, 0, 100) == b"after"

    @pytest.mark.promise("room")
    def test_who_passes_over_an_error_is_told_again(self, place: Place, vault: Vault) -> None:
        """A write that failed leaves no file with a hole in it, whatever its caller makes of the error."""
        if place.full is None:
            raise NotImplementedError("supply `full`, or say in `not_applicable` why the place is never full")
        with pytest.raises(OutOfSpace), vault.create(_NAME) as sink, suppress(OutOfSpace), place.full():
            _fill(sink)
        assert list(vault.list()) == []


def _write(vault: Vault, name: str, data: bytes, *, step: int = 1 << 20) -> None:
    with vault.create(name) as sink:
        for at in range(0, len(data), step):
            sink.write(data[at : at + step])


def _fill(sink: Sink) -> None:
    for _ in range(100):
        sink.write(secrets.token_bytes(65_536))


def _half(vault: Vault, error: BaseException) -> None:
    with vault.create(_NAME) as sink:
        sink.write(b"half")
        raise error


def _chain(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield from (str(error), repr(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
