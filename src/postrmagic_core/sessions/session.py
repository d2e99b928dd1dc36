"""One visitor's session, as a request sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, NamedTuple, TypeVar

from .._codec import decode, encode
from .._ids import uuid7
from .binding import Place
from .ids import Id
from .incidents import Incident
from .models import OWN, Content, Format
from .policy import NONE, Changes, Record, difference

M = TypeVar("M")

_FLASH = OWN + "flash:"


class Row(NamedTuple):
    """The stored session: ``cookie`` is its secret as the client has it, ``key`` its name in the store."""

    id: Id
    cookie: str
    key: bytes
    revision: int
    record: Record

    def __repr__(self) -> str:
        return "Row(…)"


@dataclass(frozen=True, slots=True)
class Flash:
    """A message for the next page, such as "saved", and what kind it is of, such as ``"error"``."""

    text: str
    category: str = "info"


class Session(Generic[M]):
    """Typed ``data`` that are saved when they changed, and who is logged in.

    Made by ``SessionStore.load``; nothing is stored before ``save``. Not to be shared between requests.

    ``incident`` says why the session that the client's cookie named is not this one, or that it is used from another
    place than before.
    """

    incident: Incident | None

    def __init__(
        self,
        form: Format[M],
        content: Content[M],
        row: Row | None = None,
        place: Place | None = None,
    ) -> None:
        self.incident = None
        self._form = form
        self._row = row
        self._user_id = row.record.user_id if row is not None else None
        self._flashes: Mapping[str, bytes] = {} if row is None else _flashes_of(row.record.fields)
        self._content = content
        self._flashes_before = self._flashes
        self._place = place or Place()
        self._rotates = False
        self._doomed: Row | None = None
        self._ended = False

    def __repr__(self) -> str:
        return f"<Session {'new' if self.is_new else 'stored'}{', logged in' if self._user_id is not None else ''}>"

    @property
    def data(self) -> M:
        """What is kept between requests: a ``dict`` or the model, to be changed in place or replaced."""
        return self._content.data

    @data.setter
    def data(self, data: M) -> None:
        self._content.data = data

    @property
    def id(self) -> str | None:
        """The cookie's value, a secret: ``None`` until the session is saved. It changes at each renewal."""
        return None if self._row is None else self._row.cookie

    @property
    def anchor(self) -> bytes | None:
        """What stays the same from login to logout, whatever the id, and is no secret of the client's: bind tokens and
        keys of this session to it. ``None`` until the session is saved.
        """
        return None if self._row is None else self._row.key

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
        """Whether a save found that the session was ended or replaced meanwhile: nothing is stored then."""
        return self._ended

    def login(self, user_id: str) -> None:
        """From the next ``save`` on the session is this user's, under a new id; the old one does not get what it may.

        What was gathered before stays, unless it was another user's.
        """
        if not user_id:
            raise ValueError(f"expected the user's id, a non-empty string, got {user_id!r}")
        if self._user_id not in {None, user_id}:
            self._clear()
        self._user_id = user_id
        self._rotates = True

    def rotate(self) -> None:
        """From the next ``save`` on the session has a new id: to be called whenever what it may do has grown."""
        self._rotates = True

    def logout(self) -> None:
        """From the next ``save`` on the session is gone; data set after this begin a new one."""
        self._doomed = self._row or self._doomed
        self._row = None
        self._user_id = None
        self._rotates = False
        self._clear()
        self._flashes_before = {}

    def flash(self, text: str, category: str = "info") -> None:
        """Leave a message for the next page that asks; of two requests at once both are kept."""
        self._flashes = {**self._flashes, f"{_FLASH}{uuid7()}": encode([str(text), str(category)])}

    def flashes(self) -> list[Flash]:
        """The messages left, the oldest first; they are gone from the next ``save`` on."""
        found = [Flash(*decode(self._flashes[name])) for name in sorted(self._flashes)]
        self._flashes = {}
        return found

    def _clear(self) -> None:
        self._content = self._form.begun()
        self._flashes = {}


def _flashes_of(fields: Mapping[str, bytes]) -> Mapping[str, bytes]:
    return {name: value for name, value in fields.items() if name[:1] == OWN and name.startswith(_FLASH)}


class Draft(Generic[M]):
    """What ``save`` has to do about one session: the side of it that the store sees."""

    def __init__(self, session: Session[M]) -> None:
        self._session = session
        self.changes = self._changes()

    def _changes(self) -> Changes:
        session = self._session
        is_same = session._flashes == session._flashes_before
        if is_same and session._content.is_same:
            return NONE
        return difference({**session._content.before(), **session._flashes_before}, self.fields)

    @cached_property
    def fields(self) -> Mapping[str, bytes]:
        """All of the data and messages, as they are to be stored."""
        return {**self._data, **self._session._flashes}

    @cached_property
    def _data(self) -> Mapping[str, bytes]:
        return self._session._content.fields()

    @property
    def row(self) -> Row | None:
        """The stored session."""
        return self._session._row

    @property
    def user_id(self) -> str | None:
        """Who is logged in now."""
        return self._session.user_id

    @property
    def place(self) -> Place:
        """Where the request came from."""
        return self._session._place

    @property
    def version(self) -> int:
        """Of the data's model."""
        return self._session._form.version

    @property
    def doomed(self) -> Row | None:
        """The row that a logout left to be deleted."""
        return self._session._doomed

    @property
    def begins(self) -> bool:
        """Whether a row under a new id is to be made."""
        session = self._session
        has_row_or_user = session._row is not None or session.user_id is not None
        return session._rotates if has_row_or_user else bool(self.changes)

    def stored(self, row: Row) -> None:
        """The row is in the store."""
        session = self._session
        session._row = row
        if self.changes or session._rotates:
            session._content.stored(self._data)
            session._flashes_before = session._flashes
        session._rotates = False

    def replaced(self, row: Row) -> None:
        """The row in the store is another, with the same data."""
        self._session._row = row

    def forgotten(self) -> None:
        """The row that was to be deleted is."""
        self._session._doomed = None

    def refused(self) -> None:
        """The row is gone: logged out meanwhile."""
        self._session._ended = True
