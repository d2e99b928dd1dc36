"""The little application that both sides serve: who is logged in lists their media, and uploads some.

Its database, its statements and its texts are the same for both; a side decides how sessions are kept and connections
are made. Nothing here is slow on purpose: a list is one search by an index, an upload is one row.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

MEDIA_EACH = 25
FILE = "library.db"
LIST = "SELECT id, title, filename, size, created_us FROM media WHERE user_id = :user ORDER BY created_us DESC LIMIT 20"
UPLOAD = (
    "INSERT INTO media (user_id, title, filename, size, created_us) "
    "VALUES (:user, :title, 'poster.jpg', 240000, :created_us)"
)
_SCHEMA = """
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE media (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users (id), title TEXT NOT NULL,
    filename TEXT NOT NULL, size INTEGER NOT NULL, created_us INTEGER NOT NULL);
CREATE INDEX ix_media_user_id_created_us ON media (user_id, created_us);
"""


@dataclass(frozen=True)
class Request:
    """What a client asks: ``token`` is its session's, ``title`` that of an upload, or nothing for the list."""

    token: str
    title: str | None


@dataclass(frozen=True)
class Response:
    """What it is answered."""

    status: int
    body: bytes


class Side(Protocol):
    """One way to serve the application; made once in each process, which answers one request at a time."""

    def answer(self, request: Request) -> Response:
        """The response; raises what its database raises."""
        ...


def listed(rows: Iterable[Iterable[Any]]) -> Response:
    """The list as JSON."""
    names = ("id", "title", "filename", "size", "created_us")
    return Response(200, json.dumps([dict(zip(names, row, strict=True)) for row in rows]).encode())


UPLOADED = Response(201, b'{"uploaded": true}')
NOBODY = Response(401, b'{"error": "log in first"}')


def seed(folder: Path, users: int) -> None:
    """The database with so many users and their media, as SQLite makes it unless told otherwise."""
    with closing(sqlite3.connect(folder / FILE)) as connection, connection:
        connection.executescript(_SCHEMA)
        connection.executemany(
            "INSERT INTO users VALUES (?, ?)", [(user, f"user {user}") for user in range(1, users + 1)]
        )
        connection.executemany(
            UPLOAD,
            [
                {"user": user, "title": f"Concert {number} at the old harbour", "created_us": number}
                for user in range(1, users + 1)
                for number in range(MEDIA_EACH)
            ],
        )
