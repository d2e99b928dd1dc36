"""CookieSessions: the whole session in the cookie, for applications that keep no store."""

from __future__ import annotations

import base64
import re
import secrets
from functools import cached_property
from typing import Any, Generic, TypedDict, TypeVar, Unpack, overload

from .._clock import Clock, SystemClock
from .._crypto import KeyRing
from ..errors import DecodeError, SealBroken, SessionTooLarge
from . import binding, policy
from .binding import Client, Place
from .ids import Id
from .incidents import Incident
from .models import OWN, Format, Migrate
from .policy import Record
from .session import Draft, Row, Session

M = TypeVar("M")

_PURPOSE = "session-cookie"
_VALUE = re.compile(r"[A-Za-z0-9_-]{1,4096}", re.ASCII)
# There is no id beside the cookie; what names the session, until a login begins another, is among its fields.
_NOBODY = Id(b"", b"", 0)
_ANCHOR = OWN + "anchor"


class CookieOptions(TypedDict, total=False):
    """How sessions are kept; see :class:`CookieSessions`."""

    namespace: str
    idle_timeout: float
    absolute_timeout: float
    touch_interval: float
    max_bytes: int
    version: int
    migrate: Migrate
    clock: Clock


class CookieSessions(Generic[M]):
    """Sessions that are their cookie: sealed with AES-256-GCM, typed, with idle and absolute time-outs.

    Used like a :class:`SessionStore`, also by the ``sessions`` middleware. Nothing is kept on the server, so that a
    copy of a cookie stays good until it ends: **a logout drops the cookie of this browser and is not final**, nobody's
    sessions can be listed or revoked, and of two requests at once the later answer counts whole. Where that matters,
    keep sessions in a Store; SQLite needs nothing installed.

    ``max_bytes`` (3,800) of value are allowed: browsers keep 4,096 of name, value and attributes. More raises
    :class:`SessionTooLarge` at ``save``. ``idle_timeout`` (1,800), ``absolute_timeout`` (43,200) and ``touch_interval``
    (60) in seconds, by ``clock``.
    """

    @overload
    def __init__(self: CookieSessions[dict[str, Any]], keys: KeyRing, **options: Unpack[CookieOptions]) -> None: ...

    @overload
    def __init__(self, keys: KeyRing, model: type[M], **options: Unpack[CookieOptions]) -> None: ...

    def __init__(self, keys: KeyRing, model: Any = dict, **options: Unpack[CookieOptions]) -> None:
        policy.check_options("CookieSessions", options, CookieOptions.__annotations__)
        self._keys = keys
        self._context = options.get("namespace", "app").encode()
        self._form: Format[M] = Format(model, options.get("version", 1), options.get("migrate"))
        self._idle = options.get("idle_timeout", 1800.0)
        self._absolute = options.get("absolute_timeout", 43_200.0)
        self._touch = options.get("touch_interval", 60.0)
        self._max_bytes = options.get("max_bytes", 3800)
        self._clock = options.get("clock") or SystemClock()
        if not 0 <= self._touch < self._idle <= self._absolute:
            raise ValueError(
                "expected 0 <= touch_interval < idle_timeout <= absolute_timeout (seconds), got "
                f"{self._touch}, {self._idle} and {self._absolute}"
            )

    @cached_property
    def aio(self) -> AsyncCookieSessions[M]:
        """The same for asyncio, with the same names."""
        return AsyncCookieSessions(self)

    def load(self, cookie_value: str | None, client: Client | None = None) -> Session[M]:
        """The session in the cookie, or a new one where it is missing, altered, of another key, or has ended."""
        place = binding.place_of(client)
        record = self._opened(cookie_value)
        if record is None or cookie_value is None:
            return self._new(place, None)
        try:
            content = self._form.restored(record.fields, record.version)
        except DecodeError as error:
            return self._new(place, Incident("data_unreadable", "refused", "", record.user_id, (str(error),)))
        return Session(self._form, content, _row(cookie_value, record), place)

    def save(self, session: Session[M]) -> str | None:
        """What to set the cookie to; ``None``: leave it, ``""``: drop it. Raises :class:`SessionTooLarge`."""
        draft = Draft(session)
        now = self._clock.now_us()
        row = draft.row
        if draft.begins:
            ends = now + round(self._absolute * 1e6)
            place = draft.place
            times = (now, ends, now, 0, now, now)
            where = (place.agent, place.network, draft.version, None)
            fields = {**draft.fields, _ANCHOR: secrets.token_bytes(16)}
            return self._written(draft, Record(draft.user_id, 0, *times, *where, fields))
        if row is not None and (draft.changes or policy.touch_due(row.record.touched_us, now, self._touch)):
            merged = row.record.merged(draft.changes, now)
            return self._written(draft, merged._replace(version=max(merged.version, draft.version)))
        if draft.doomed is not None:
            draft.forgotten()
            return ""
        return None

    def delete(self, session: Session[M]) -> None:
        """End the session for this browser: ``save`` then answers that the cookie is to be dropped."""
        session.logout()

    def _written(self, draft: Draft[M], record: Record) -> str:
        sealed = self._keys.seal(policy.pack(record), purpose=_PURPOSE, context=self._context)
        value = _text(sealed)
        if len(value) > self._max_bytes:
            raise SessionTooLarge(
                f"the session takes {len(value):,} bytes of cookie and {self._max_bytes:,} are allowed: "
                "keep less in it, or keep sessions in a Store (SessionStore)"
            )
        draft.stored(_row(value, record))
        draft.forgotten()
        return value

    def _opened(self, cookie: str | None) -> Record | None:
        if cookie is None or not _VALUE.fullmatch(cookie):
            return None
        try:
            sealed = base64.urlsafe_b64decode(cookie + "=" * (-len(cookie) % 4))
            if _text(sealed) != cookie:
                return None  # its last letter has spare bits: one session has one spelling
            record = policy.unpack(self._keys.open(sealed, purpose=_PURPOSE, context=self._context))
        except (ValueError, SealBroken, DecodeError):
            return None
        now = self._clock.now_us()
        is_live = now < record.ends_us and now - record.touched_us < self._idle * 1e6
        return record if is_live and _ANCHOR in record.fields else None

    def _new(self, place: Place, incident: Incident | None) -> Session[M]:
        session = Session(self._form, self._form.begun(), place=place)
        session.incident = incident
        return session


def _text(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def _row(cookie: str, record: Record) -> Row:
    return Row(_NOBODY, cookie, record.fields[_ANCHOR], 1, record)


class AsyncCookieSessions(Generic[M]):
    """The async face of :class:`CookieSessions`: nothing in it waits."""

    def __init__(self, sessions: CookieSessions[M]) -> None:
        self._sessions = sessions

    async def load(self, cookie_value: str | None, client: Client | None = None) -> Session[M]:
        """See :meth:`CookieSessions.load`."""
        return self._sessions.load(cookie_value, client)

    async def save(self, session: Session[M]) -> str | None:
        """See :meth:`CookieSessions.save`."""
        return self._sessions.save(session)

    async def delete(self, session: Session[M]) -> None:
        """See :meth:`CookieSessions.delete`."""
        self._sessions.delete(session)
