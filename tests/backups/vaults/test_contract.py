"""The contract of vaults: red, on the right promise, on each vault that breaks one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO

import pytest

from postrmagic_core.backups.interface import Sink, Stored
from postrmagic_core.errors import BackendUnavailable, BackupError
from postrmagic_core.testing.contracts.vaults import Place, VaultContract
from tests.backups.archive.shelf import Shelf

KEEPING = VaultContract()


class WritesOver(Shelf):
    """The last of a name wins."""

    @contextmanager
    def create(self, name: str) -> Iterator[Sink]:
        self.files.pop(name, None)
        with super().create(name) as sink:
            yield sink
            self.files.pop(name, None)


class ShowsHalf(Shelf):
    """What is being written is there."""

    @contextmanager
    def create(self, name: str) -> Iterator[Sink]:
        self.files[name] = b""
        file = BytesIO()
        yield file
        self.files[name] = file.getvalue()


class LeavesHalf(Shelf):
    """What was not finished stays."""

    @contextmanager
    def create(self, name: str) -> Iterator[Sink]:
        file = BytesIO()
        try:
            yield file
        finally:
            self.files[name] = file.getvalue()


class TakesErrors(Shelf):
    """The error of who writes is told as the vault's own."""

    @contextmanager
    def create(self, name: str) -> Iterator[Sink]:
        try:
            with super().create(name) as sink:
                yield sink
        except OSError as error:
            raise BackendUnavailable("the vault failed") from error


class GivesLess(Shelf):
    """As a socket does."""

    def read(self, name: str, offset: int, size: int) -> bytes:
        return super().read(name, offset, min(size, 65_536))


class Fails(Shelf):
    """What is not there is told in words of its own."""

    def read(self, name: str, offset: int, size: int) -> bytes:
        return self.files[name][offset : offset + size]


class MissesWhatItRemoves(Shelf):
    """To remove what is gone is an error."""

    def remove(self, name: str) -> None:
        if name not in self.files:
            raise BackupError("it is gone")
        super().remove(name)


class RemovesAll(Shelf):
    """One is meant, all are gone."""

    def remove(self, name: str) -> None:
        self.files.clear()


class TakesAnyName(Shelf):
    """A path is as good as a name."""

    @contextmanager
    def create(self, name: str) -> Iterator[Sink]:
        yield BytesIO()


class SaysItsPassword(Shelf):
    """In its repr."""

    def __repr__(self) -> str:
        return "SaysItsPassword('ftp://me:hunter22@host')"


class ListsNames(Shelf):
    """Sizes are guessed."""

    def list(self) -> Sequence[Stored]:
        return [Stored(name, 0) for name in self.files]


class Remembers(Shelf):
    """What it saw once is there for ever."""

    seen: Sequence[Stored] = ()

    def list(self) -> Sequence[Stored]:
        self.seen = self.seen or super().list()
        return self.seen


class LacksRemove:
    """Not all of it."""

    list, create, read = Shelf.list, Shelf.create, Shelf.read


@pytest.mark.parametrize(
    ("broken", "test", "given"),
    [
        (WritesOver, "test_nothing_is_written_over", {}),
        (WritesOver, "test_of_two_that_write_a_name_one_has_it", {}),
        (ShowsHalf, "test_it_is_there_only_when_it_is_whole", {}),
        (LeavesHalf, "test_an_error_leaves_nothing", {"error": RuntimeError}),
        (TakesErrors, "test_an_error_leaves_nothing", {"error": OSError}),
        (GivesLess, "test_what_was_written_is_read", {"size": 3_000_000}),
        (GivesLess, "test_a_backup_is_kept", {}),
        (ListsNames, "test_what_was_written_is_read", {"size": 1}),
        (Fails, "test_what_is_not_there_is_not_found", {}),
        (MissesWhatItRemoves, "test_what_is_removed_is_gone", {}),
        (RemovesAll, "test_what_is_removed_is_gone", {}),
        (Remembers, "test_what_is_removed_is_gone", {}),
        (TakesAnyName, "test_no_name_leads_elsewhere", {"name": "../x"}),
        (SaysItsPassword, "test_no_secret_is_shown", {}),
        (LacksRemove, "test_it_has_what_the_protocol_has", {}),
    ],
)
def test_each_broken_promise_is_red(
    broken: type[Shelf], test: str, given: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    """Given a vault that breaks one promise, then the test of that promise fails, which a good one passes."""

    def keep(vault: Shelf) -> None:
        place = Place(lambda: vault, secrets=("hunter22",))
        known = {"place": place, "vault": vault, "caplog": caplog, **given}
        function = getattr(KEEPING, test)
        wanted = function.__code__.co_varnames[1 : function.__code__.co_argcount]
        function(**{name: known[name] for name in wanted})

    keep(Shelf())
    with pytest.raises((AssertionError, pytest.fail.Exception, BackupError, BackendUnavailable, KeyError)):
        keep(broken())
