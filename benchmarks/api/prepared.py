"""The same library for both sides: ours as the application makes it, the other copied from its rows.

Half of the generated media are one user's, who is the one that logs in.
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from argon2 import PasswordHasher

from postrmagic_core.settings import Settings
from postrmagic_core.stack import Stack

from . import _fastapi_app as plain
from .requests import POSTER

ROOT = Path(__file__).parents[2]
ACCOUNT = {"name": "user-1", "password": "posters-by-the-thousand"}
_OURS = "app.db"
_USER = 1
_COPY = (
    "INSERT INTO users (id, name, password_hash, quota_bytes, used_bytes)"
    " SELECT id, name, password_hash, quota_bytes, used_bytes FROM ours.users",
    "INSERT INTO media (id, user_id, digest, title, filename, size, mime, width, height, colour_list, orientation,"
    " created_at, is_ready)"
    " SELECT id, user_id, digest, title, filename, size, mime, width, height, colours, orientation,"
    " strftime('%Y-%m-%d %H:%M:%S', created_us / 1000000, 'unixepoch') || printf('.%06d', created_us % 1000000),"
    " digest IN (SELECT digest FROM ours.renditions)"
    " FROM ours.media JOIN ours.blobs USING (digest) LEFT JOIN ours.details USING (digest)",
    "INSERT INTO tags (media_id, name) SELECT media_id, name FROM ours.tags",
    "CREATE VIRTUAL TABLE media_search USING fts5(title, filename)",
    "INSERT INTO media_search (rowid, title, filename) SELECT id, title, filename FROM media",
)


def prepare(ours: Path, theirs: Path, media: int) -> None:
    """Fill both folders with ``media`` generated media, and put the image that is uploaded into each."""
    image = _filled(ours, media)
    for folder in (ours, theirs):
        (folder / POSTER).write_bytes(image)
    _copied(ours / _OURS, theirs / plain.FILE)


def _filled(folder: Path, media: int) -> bytes:
    sys.path.insert(0, str(ROOT / "examples"))
    try:
        from media_library.application import assemble
        from media_library.generate import generate
        from media_library.posters import POSTERS, draw
        from media_library.roles import USER
        from media_library.tables import users
    finally:
        sys.path.pop(0)
    url = f"sqlite:///{folder / _OURS}"
    app = assemble(Stack(Settings(stack={"data_dir": folder}, database={"url": url}, log={"level": "ERROR"})))
    with app.stack:
        app.prepare()
        generate(app.stack.database, media)
        hashed = PasswordHasher(time_cost=1, memory_cost=8192).hash(ACCOUNT["password"])
        with app.stack.database.write() as tx:
            tx.execute(users.update().where(users.c.id == _USER).values(password_hash=hashed))
            app.stack.security.access.grant(str(_USER), USER, actor=None, tx=tx)
    return draw(POSTERS[0])


def _copied(ours: Path, theirs: Path) -> None:
    plain.create(theirs)
    with closing(sqlite3.connect(theirs)) as connection:
        connection.execute("ATTACH ? AS ours", (str(ours),))
        with connection:
            for statement in _COPY:
                connection.execute(statement)
        connection.execute("ANALYZE main")
