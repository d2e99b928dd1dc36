"""The application as PostrMagic was: each API call writes the session's ``last_activity`` into the library's database.

What is taken from where:

- every call writes ``last_activity`` into the same SQLite file, and no call waits for another process's answer but at
  that file's lock (the reason why this package exists: its design names it the cause of the site's freezes);
- a PHP request begins with nothing: it opens the file, and closes it at its end (PDO without persistent connections);
- PDO's driver for SQLite: a statement outside a transaction commits by itself, and a busy file is waited for up to
  60 seconds (``PDO::ATTR_TIMEOUT``, ``sqlite3_busy_timeout`` in ``ext/pdo_sqlite/sqlite_driver.c``);
- SQLite's own defaults, since nothing set others: a rollback journal, ``synchronous=FULL``, no pragmas;
- as many processes as clients, each with one request at a time: Apache with PHP in it (``mpm_prefork``) starts up to
  256, on Debian 150. With five, ``pm.max_children`` in the pool that php-fpm comes with, it is measured too.

Python's ``sqlite3`` is the same library under another language. With ``wal``, the file keeps a write-ahead log instead,
the first thing that one would try: it is measured too, so that nobody takes the journal's share for the sessions'.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from .library import FILE, LIST, NOBODY, UPLOAD, UPLOADED, Request, Response, listed

PDO_TIMEOUT = 60.0
_SCHEMA = """
CREATE TABLE sessions (id TEXT PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id), csrf TEXT NOT NULL,
    ip_address TEXT NOT NULL, created_at INTEGER NOT NULL, last_activity INTEGER NOT NULL);
"""
_FIND = (
    "SELECT sessions.user_id, users.name FROM sessions JOIN users ON users.id = sessions.user_id "
    "WHERE sessions.id = ? AND sessions.last_activity > ?"
)
_TOUCH = "UPDATE sessions SET last_activity = ? WHERE id = ?"
_IDLE = 1800


class Original:
    """See the module."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE

    def answer(self, request: Request) -> Response:
        """See :meth:`Side.answer`."""
        now = int(time.time())
        with closing(_connected(self._file)) as connection:
            found = connection.execute(_FIND, [request.token, now - _IDLE]).fetchone()
            if found is None:
                return NOBODY
            connection.execute(_TOUCH, [now, request.token])
            if request.title is None:
                return listed(connection.execute(LIST, {"user": found[0]}).fetchall())
            created = {"user": found[0], "title": request.title, "created_us": time.time_ns() // 1000}
            connection.execute(UPLOAD, created)
            return UPLOADED


def prepare(folder: Path, users: int, *, wal: bool = False) -> list[str]:
    """Add what this side keeps to the seeded database; returns a session's token for each user."""
    tokens, now = [secrets.token_hex(32) for _ in range(users)], int(time.time())
    with closing(_connected(folder / FILE)) as connection:
        if wal:
            connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(_SCHEMA)
        rows = [(token, user, secrets.token_hex(16), "127.0.0.1", now, now) for user, token in enumerate(tokens, 1)]
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?)", rows)
        connection.execute("COMMIT")
    return tokens


def _connected(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(file, timeout=PDO_TIMEOUT, isolation_level=None)
