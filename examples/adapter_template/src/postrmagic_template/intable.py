"""A log sink that keeps lines in a table of SQLite."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from typing import Self
from urllib.parse import unquote, urlsplit


class TableSink:
    """Lines in the table ``log`` of the file at ``path``."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path
        self._process: int | None = None
        self._connection: sqlite3.Connection | None = None
        self._own().execute("CREATE TABLE IF NOT EXISTS log (id INTEGER PRIMARY KEY, line TEXT)")

    @classmethod
    def from_url(cls, url: str) -> Self:
        """``table:///var/log/app.db``."""
        return cls(unquote(urlsplit(url).path))

    def write(self, lines: Sequence[bytes]) -> int:
        """Keep them; returns how many arrived."""
        try:
            with self._own() as connection:  # a transaction: all of them or none
                rows = [(line.decode(),) for line in lines]
                connection.executemany("INSERT INTO log (line) VALUES (?)", rows)
        except sqlite3.Error as error:
            raise OSError(f"the table refuses: {error}") from error
        return len(lines)

    def idle(self) -> None:
        """Nothing to tidy."""

    def close(self) -> None:
        """Release what this process opened."""
        if self._connection is not None and self._process == os.getpid():
            self._connection.close()
            self._process = None

    def _own(self) -> sqlite3.Connection:
        if self._connection is None or self._process != os.getpid():
            self._left = self._connection  # a forked child leaves its parent's connection alone
            self._connection = sqlite3.connect(self._path, timeout=2, check_same_thread=False)
            self._process = os.getpid()
        return self._connection
