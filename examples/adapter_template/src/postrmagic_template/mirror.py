"""A vault that keeps every backup in two vaults, so that one disk may be lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Self
from urllib.parse import parse_qsl, urlsplit

from postrmagic_core.backups.interface import Sink, Stored, Vault
from postrmagic_core.backups.vaults import open_vault
from postrmagic_core.errors import BackendError, BackupNotFound, ConfigurationError


class Both:
    """What is written goes to each."""

    def __init__(self, *sinks: Sink) -> None:
        self._sinks = sinks

    def write(self, data: bytes) -> None:
        """To each."""
        for sink in self._sinks:
            sink.write(data)


class MirrorVault:
    """Two vaults that hold the same."""

    def __init__(self, first: Vault, second: Vault) -> None:
        self._first, self._second = first, second

    @classmethod
    def from_url(cls, url: str) -> Self:
        """``mirror://?in=file:///disk1/backups&in=file:///disk2/backups``; nothing is read or written yet."""
        places = [place for name, place in parse_qsl(urlsplit(url).query) if name == "in"]
        if len(places) != 2:
            raise ConfigurationError("a mirror is of two vaults: mirror://?in=URL&in=URL")
        return cls(*map(open_vault, places))

    def list(self) -> Sequence[Stored]:
        """What either has; one of them may be away."""
        found: dict[str, Stored] = {}
        failed: list[BackendError] = []
        for vault in (self._second, self._first):
            try:
                found |= {stored.name: stored for stored in vault.list()}
            except BackendError as error:
                failed.append(error)
        if len(failed) == 2:
            raise failed[0]
        return list(found.values())

    @contextmanager
    def create(self, name: str) -> Iterator[Sink]:
        """There when the block has ended without an error: in both, or in none."""
        with ExitStack() as undo:
            with self._first.create(name) as one:
                with self._second.create(name) as other:
                    yield Both(one, other)
                # There now; it goes again if the other one fails at its very end.
                undo.callback(self._second.remove, name)
            undo.pop_all()

    def read(self, name: str, offset: int, size: int) -> bytes:
        """From the first that can."""
        try:
            return self._first.read(name, offset, size)
        except (BackupNotFound, BackendError):
            return self._second.read(name, offset, size)

    def remove(self, name: str) -> None:
        """From both."""
        self._first.remove(name)
        self._second.remove(name)
