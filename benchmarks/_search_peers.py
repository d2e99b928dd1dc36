"""The same lines in a plain FTS5 table, as one would begin, and in a file for grep."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path


class Fts5:
    """A row a line, the whole line as its text: SQLite's own recipe."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, lines: Sequence[bytes]) -> None:
        """Everything, a thousand lines a transaction."""
        with closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("CREATE VIRTUAL TABLE IF NOT EXISTS lines USING fts5 (line)")
            for begin in range(0, len(lines), 1000):
                connection.execute("BEGIN")
                rows = ((line.decode(),) for line in lines[begin : begin + 1000])
                connection.executemany("INSERT INTO lines VALUES (?)", rows)
                connection.execute("COMMIT")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def find(self, words: str) -> int:
        """How many of the newest fifty."""
        with closing(sqlite3.connect(self._path)) as connection:
            statement = "SELECT line FROM lines WHERE lines MATCH ? ORDER BY rowid DESC LIMIT 50"
            return len(connection.execute(statement, (f'"{words}"',)).fetchall())

    def bytes(self) -> int:
        """What it takes."""
        return self._path.stat().st_size


class Grep:
    """The lines in a file, and what looks for a fixed text in it; ImportError: there is no grep."""

    def __init__(self, path: Path) -> None:
        found = shutil.which("rg") or shutil.which("grep")
        if found is None:
            raise ImportError("grep is not installed", name="grep")
        self._path, self._grep = path, found

    def write(self, lines: Sequence[bytes]) -> None:
        """Everything, a line each."""
        self._path.write_bytes(b"\n".join(lines) + b"\n")

    def find(self, text: str) -> int:
        """How many lines hold ``text``."""
        command = [self._grep, "-F", "--", text, str(self._path)]
        return len(subprocess.run(command, capture_output=True, check=False).stdout.splitlines())
