"""The demonstration's accounts and posters."""

from __future__ import annotations

import secrets
from pathlib import Path

from rich.progress import track

from postrmagic_core.errors import UniqueViolation
from postrmagic_core.validation import inspect

from . import tables
from .library import POLICY
from .posters import POSTERS, draw
from .smoke import DEMO
from .stack import accounts, library, stack


def prepare(*, guest: bool) -> None:
    """Create the application's tables and directories, the demo account and, if asked for, a guest's."""
    library.storage.prepare()
    with stack:
        with stack.database.write() as tx:
            tables.create(tx.connection)
        for name in ("demo", "guest") if guest else ("demo",):
            try:
                accounts.create(name, DEMO["password"])
            except UniqueViolation:
                continue


def seed() -> None:
    """Upload the drawn posters as the demo account would; ones that are there stay as they are."""
    with stack:
        user = accounts.by_name(DEMO["name"])
        if user is None:
            raise SystemExit("there is no demo account: run `python -m media_library prepare` first")
        for poster in track(POSTERS, description="Drawing posters"):
            file: Path = library.storage.incoming / secrets.token_hex(16)
            file.write_bytes(draw(poster))
            info = inspect(file, POLICY)
            added = library.add(user.id, file, info, title=poster.title, filename=poster.filename)
            if added.created:
                library.change(user.id, added.media_id, title=None, tag_names=poster.tags)
