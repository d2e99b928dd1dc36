"""The demonstration's accounts and posters."""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path

from rich.progress import track

from postrmagic_core.errors import UniqueViolation
from postrmagic_core.validation import inspect

from .application import Application
from .library import POLICY
from .posters import POSTERS, draw
from .roles import ADMIN, USER

# Their passwords are public.
DEMO = {"name": "demo", "password": "posters-for-everyone"}
KEEPER = {"name": "keeper", "password": "keys-to-every-drawer"}


def prepare(application: Application, *, guest: bool, keeper: bool = False) -> None:
    """Create the application's tables and directories, the demo account and, if asked for, a guest's and an admin's.

    Their passwords are public. Nothing else makes an account that nobody asked for.
    """
    accounts = [(DEMO, [USER])]
    accounts += [({**DEMO, "name": "guest"}, [USER])] if guest else []
    accounts += [(KEEPER, [USER, ADMIN])] if keeper else []
    with application.stack:
        application.prepare()
        for account, roles in accounts:
            with contextlib.suppress(UniqueViolation):
                application.accounts.create(account["name"], account["password"], roles=roles)


def seed(application: Application) -> None:
    """Upload the drawn posters as the demo account would, and warm the cache; ones that are there stay as they are."""
    library = application.library
    with application.stack:
        user = application.accounts.by_name(DEMO["name"])
        if user is None:
            raise SystemExit("there is no demo account: run `python -m media_library prepare` first")
        owner = application.stack.security.access.identity(user.key)
        for poster in track(POSTERS, description="Drawing posters"):
            file: Path = library.storage.incoming / secrets.token_hex(16)
            file.write_bytes(draw(poster))
            info = inspect(file, POLICY)
            added = library.add(user.id, file, info, title=poster.title, filename=poster.filename)
            if added.created:
                library.change(owner, added.media_id, title=None, tag_names=poster.tags)
        application.stack.cache.warm()
