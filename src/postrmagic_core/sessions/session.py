"""One visitor's session, as a request sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from .models import Shape
from .policy import Changes, Record, difference

M = TypeVar("M")


@dataclass(frozen=True, slots=True, repr=False)
class Row:
    """The stored session: ``cookie`` is its secret, ``key`` its name in the store."""

    cookie: str
    key: bytes
    revision: int
    record: Record


class Session(Generic[M]):
    """Typed ``data`` that are saved when they changed, and who is logged in.

    Made by ``SessionStore.load``; nothing is stored before ``save``. Not to be shared between requests.
    """

    def __init__(self, shape: Shape[M], data: M, row: Row | None = None) -> None:
        self.data = data
        self._shape = shape
        self._row = row
        self._user_id = row.record.user_id if row is not None else None
        self._view: Mapping[str, bytes] = shape.fields(data)
        self._rotates = False
        self._doomed: Row | None = None
        self._ended = False

    def __repr__(self) -> str:
        return f"<Session {'new' if self.is_new else 'stored'}{', logged in' if self._user_id is not None else ''}>"

    @property
    def id(self) -> str | None:
        """The cookie's value, a secret: ``None`` until the session is saved."""
        return None if self._row is None else self._row.cookie

    @property
    def is_new(self) -> bool:
        """Whether there is no stored session behind it (yet)."""
        return self._row is None

    @property
    def user_id(self) -> str | None:
        """Who is logged in."""
        return self._user_id

    @property
    def ended(self) -> bool:
        """Whether a save found that the session was logged out meanwhile: nothing was stored, nothing will be."""
        return self._ended

    def login(self, user_id: str) -> None:
        """From the next ``save`` on the session is this user's, under a new id; the old id is dead then.

        What was gathered before stays, unless it was another user's.
        """
        if not user_id:
            raise ValueError("expected the user's id, a non-empty string")
        if self._user_id not in {None, user_id}:
            self.data = self._shape.fresh()
        self._user_id = user_id
        self._rotates = True

    def logout(self) -> None:
        """From the next ``save`` on the session is gone; data set after this begin a new one."""
        self._doomed = self._row or self._doomed
        self._row = None
        self._user_id = None
        self._rotates = False
        self.data = self._shape.fresh()
        self._view = self._shape.fields(self.data)


class Draft(Generic[M]):
    """What ``save`` has to do about one session: the side of it that the store sees."""

    def __init__(self, session: Session[M]) -> None:
        self._session = session
        self.fields = session._shape.fields(session.data)
        self.changes: Changes = difference(session._view, self.fields)

    @property
    def row(self) -> Row | None:
        """The stored session."""
        return self._session._row

    @property
    def user_id(self) -> str | None:
        """Who is logged in now."""
        return self._session.user_id

    @property
    def doomed(self) -> Row | None:
        """The row that a logout left to be deleted."""
        return self._session._doomed

    @property
    def begins(self) -> bool:
        """Whether a row under a new id is to be made."""
        return self._session._rotates or (self._session._row is None and bool(self.changes))

    def stored(self, row: Row) -> None:
        """The row is in the store."""
        self._session._row = row
        self._session._view = self.fields
        self._session._rotates = False

    def forgotten(self) -> None:
        """The row that was to be deleted is."""
        self._session._doomed = None

    def refused(self) -> None:
        """The row is gone: logged out meanwhile."""
        self._session._ended = True
