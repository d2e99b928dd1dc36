"""Doubles that stand in for guards of the application; see tests/faults.toml."""

from __future__ import annotations

from io import FileIO
from typing import Any

from PIL import Image
from sqlalchemy import select

from media_library.accounts import Accounts, User
from media_library.library import Library
from media_library.logins import Logins, Pending
from media_library.problems import PROBLEMS
from media_library.tables import media
from postrmagic_core._problem import Problem


def decode_here(file: FileIO, *_: object, **__: object) -> Any:
    """Decode an image without a process around it."""
    file.seek(0)
    with Image.open(file) as image:
        image.load()
        return {"width": image.width, "height": image.height}


def owner_unasked(self: Library, _who: object, _permission: str, media_id: int) -> int:
    """Whose the medium is, whoever asks."""
    with self.database.read() as unit:
        return int(unit.scalar(select(media.c.user_id).where(media.c.id == media_id)) or 0)


async def any_password(self: Accounts, _face: object, user_id: str, _password_us: object) -> User | None:
    """The account of a session, whichever password it began with."""
    return self.find(int(user_id))


def pending_for_ever(self: Logins, session: Any) -> Pending:
    """The login that a session waits with, however long ago it began."""
    return Pending(**session.data["login"])


def begun_as_logged_in(self: Logins, session: Any, user: User) -> None:
    """Take the password for enough."""
    self.complete(session, user)


def told_as_it_is(error: Exception) -> Problem:
    """Why an item of many is refused, that somebody else has it included."""
    return PROBLEMS.for_error(error)
