"""An application with a database and files, to be backed up and lost."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from postrmagic_core._clock import Clock
from postrmagic_core._crypto import KeyRing
from postrmagic_core.backups import Backups, BackupTerms
from postrmagic_core.backups.interface import Stored, Vault
from postrmagic_core.backups.vaults import open_vault
from postrmagic_core.database import DatabaseManager
from tests.copies import packaged

KEY = "correct horse battery staple, 2026"
BANK = "CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)"
FILES = "CREATE TABLE blobs (name TEXT PRIMARY KEY) WITHOUT ROWID"
ACCOUNTS, BALANCE = 20, 1000


class Site:
    """Below ``root``: ``var/app.db``, ``media``, and backups in ``vault``."""

    def __init__(self, root: Path, clock: Clock | None = None) -> None:
        self.root = root
        self.path = root / "var" / "app.db"
        self.url = f"sqlite:///{self.path}"
        self.media = root / "media"
        self.vault: Vault = open_vault((root / "vault").as_uri())
        self.keys = KeyRing([KEY])
        self.clock = clock
        self.terms = BackupTerms(self.url, {"media": self.media}, root / "var", vault_directory=root / "vault")

    def made(self) -> Site:
        """With the package's tables, those of a bank, and no files."""
        self.path.parent.mkdir(mode=0o700)
        self.media.mkdir(mode=0o700)
        packaged(self.url)
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(BANK)
            connection.execute(FILES)
            connection.executemany("INSERT INTO accounts VALUES (?, ?)", [(each, BALANCE) for each in range(ACCOUNTS)])
        return self

    def database(self) -> DatabaseManager:
        """A manager of its database, not open yet."""
        return DatabaseManager(self.url)

    def backups(self, database: DatabaseManager | None = None, **changed: object) -> Backups:
        """A manager of its backups, not open yet; ``changed`` terms."""
        terms = replace(self.terms, **changed)  # type: ignore[arg-type]  # fields of the terms
        return Backups(terms, database=database, vault=self.vault, keys=self.keys, clock=self.clock)

    def put(self, name: str, content: bytes) -> Path:
        """A file of the media."""
        path = self.media / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def take(self, **options: bool) -> str:
        """A backup's name, taken by a manager of its own."""
        with self.backups() as backups:
            return backups.take(**options).name  # type: ignore[arg-type]  # one keyword

    def restore(self, name: str | None = None) -> None:
        """Restore into where it came from."""
        with self.backups() as backups:
            backups.restore(backups.plan_restore(name))

    def lose(self) -> None:
        """The database's file, and what belongs to it."""
        for each in self.path.parent.glob("app.db*"):
            each.unlink()

    def rows(self, statement: str) -> Sequence[tuple[object, ...]]:
        """What a statement finds in the database now."""
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(self.path)) as connection:
                return connection.execute(statement).fetchall()
        with self.database() as database, database.read() as tx:
            return [tuple(row) for row in tx.connection.exec_driver_sql(statement)]

    def contents(self) -> dict[str, str]:
        """The SHA-256 of each file of the media."""
        return {str(path.relative_to(self.media)): digest(path) for path in _below(self.media)}


class CountedVault:
    """A vault that counts the bytes that are read from it."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self.bytes = 0
        self.create, self.remove = vault.create, vault.remove

    def list(self) -> Sequence[Stored]:
        """See :class:`Vault`."""
        return self._vault.list()

    def read(self, name: str, offset: int, size: int) -> bytes:
        """See :class:`Vault`."""
        found = self._vault.read(name, offset, size)
        self.bytes += len(found)
        return found


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def noise(size: int) -> bytes:
    """Bytes that do not shrink."""
    return os.urandom(size)


def _below(root: Path) -> Iterator[Path]:
    return (path for path in sorted(root.rglob("*")) if path.is_file())
