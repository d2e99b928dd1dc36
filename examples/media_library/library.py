"""What one can do with the library, without HTTP: add, list, search, tag, rename, delete, count."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypedDict

from sqlalchemy import and_, bindparam, delete, func, insert, select, update

from postrmagic_core._clock import SystemClock
from postrmagic_core._crypto import KeyRing
from postrmagic_core.api.listing import ListQuery, ListRequest
from postrmagic_core.cache import CacheManager
from postrmagic_core.database import DatabaseManager, Unit
from postrmagic_core.errors import PostrMagicError
from postrmagic_core.events import EventManager
from postrmagic_core.security import Access
from postrmagic_core.security import User as Identity
from postrmagic_core.validation import ImagePolicy

from . import search, statistics
from .events import PosterDeleted, PosterUploaded, QuotaNearlyUsed
from .listings import MEDIA, SHOWN
from .storage import Storage
from .tables import blobs, details, inserted_id, media, renditions, tags, users

Expected: TypeAlias = Callable[[dict[str, Any]], None]
# The share of the quota, in percent, from which users are told how much of it they use.
NEARLY_USED = 90
POLICY = ImagePolicy(max_bytes=20 * 1024 * 1024, max_pixels=50_000_000)
_USERS_MEDIA = "user:{user_id}:media"
_USERS_STATISTICS = "user:{user_id}:statistics"


class Keeping(TypedDict):
    """For how many seconds an answer is kept, and under which tags."""

    fresh: float
    stale: float
    tags: list[str]


KEPT: Keeping = {"fresh": 60.0, "stale": 600.0, "tags": [_USERS_MEDIA]}
"""How everything that is made of a user's media is kept."""

# Made once: every page asks it.
_TAGS_OF = (
    select(tags.c.media_id, tags.c.name)
    .where(tags.c.media_id.in_(bindparam("ids", expanding=True)))
    .order_by(tags.c.name)
)


class QuotaExceeded(PostrMagicError):
    """The user's files would take more room than is allowed."""

    code = "quota.exceeded"


class NotFound(PostrMagicError):
    """There is no such medium in this user's library."""

    code = "media.not_found"


@dataclass(frozen=True, slots=True)
class Added:
    """What an upload came to: ``created`` is false when the user already had this very file."""

    media_id: int
    created: bool


class Picture(Protocol):
    """What is known of an image that was looked at: ``size`` in bytes, ``width`` and ``height`` in pixels."""

    @property
    def sha256(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def mime(self) -> str: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...


def tag_of(user_id: int) -> str:
    """The cache tag under which everything derived from a user's media is stored."""
    return _USERS_MEDIA.format(user_id=user_id)


class Library:
    """The library over a database, a cache, events, a place for files, who may do what, and keys that sign cursors.

    ``held`` says whether files are to stay where they are for now, rows or not: while a backup copies them.
    ``get`` and ``stats`` are the methods of these names with an underscore, answered from the cache until the user's
    media change.
    """

    def __init__(
        self,
        database: DatabaseManager,
        cache: CacheManager,
        events: EventManager,
        storage: Storage,
        access: Access,
        keys: KeyRing,
        held: Callable[[Unit], bool] = lambda _: False,
    ) -> None:
        self.database = database
        self.cache = cache
        self.events = events
        self.storage = storage
        self._access = access
        self._keys = keys
        self._held = held
        self._clock = SystemClock()
        self.get = cache.cached("medium:{user_id}:{media_id}", **KEPT)(self._get)
        stats_kept: Keeping = {**KEPT, "tags": [_USERS_MEDIA, _USERS_STATISTICS]}
        self.stats = cache.cached("stats:{user_id}", **stats_kept)(self._stats)

    def add(self, user_id: int, file: Path, info: Picture, *, title: str, filename: str) -> Added:
        """Record the inspected ``file``, charge it, put it in place and announce it: all in one transaction.

        Raises :class:`QuotaExceeded`. The temporary file is gone afterwards, whatever happened.
        """
        try:
            return self.database.transact(self._add, user_id, file, info, title, filename)
        finally:
            file.unlink(missing_ok=True)

    def _add(self, tx: Unit, user_id: int, file: Path, info: Picture, title: str, filename: str) -> Added:
        self._lock(tx, user_id)
        owned = and_(media.c.user_id == user_id, media.c.digest == info.sha256)
        known = tx.scalar(select(media.c.id).where(owned))
        if known is not None:
            return Added(known, created=False)
        self._charge(tx, user_id, info.size)
        if not self.holds(tx, info.sha256):
            tx.execute(
                insert(blobs).values(
                    digest=info.sha256, size=info.size, mime=info.mime, width=info.width, height=info.height
                )
            )
        row = {"user_id": user_id, "digest": info.sha256, "title": title, "filename": filename}
        added = tx.execute(insert(media).values(created_us=self._clock.now_us(), **row))
        media_id = inserted_id(added)
        self.events.emit(PosterUploaded(media_id=media_id, user_id=user_id, digest=info.sha256), tx=tx)
        self.cache.invalidate(tag_of(user_id), tx=tx)
        self.storage.place(file, self.storage.blob(info.sha256))
        return Added(media_id, created=True)

    def index(self, tx: Unit, media_id: int) -> None:
        """Let the medium be found by the words of its title and file name."""
        row = tx.execute(select(media.c.title, media.c.filename).where(media.c.id == media_id)).one()
        search.index(tx, media_id, search.terms_of(row.title, row.filename))

    def holds(self, tx: Unit, digest: str) -> bool:
        """Whether a row names this file. There or not, the row's place is the unit's until it ends."""
        return tx.scalar(select(blobs.c.digest).where(blobs.c.digest == digest).with_for_update()) is not None

    def _lock(self, tx: Unit, user_id: int) -> None:
        """Take the user's row first, always: what one user changes happens in order, and nobody deadlocks."""
        tx.execute(select(users.c.id).where(users.c.id == user_id).with_for_update())

    def _charge(self, tx: Unit, user_id: int, size: int) -> None:
        after = users.c.used_bytes + size
        charged = tx.execute(
            update(users).where(users.c.id == user_id, after <= users.c.quota_bytes).values(used_bytes=after)
        )
        if charged.rowcount == 0:
            raise QuotaExceeded("this file does not fit into the user's quota")
        user = tx.execute(select(users.c.used_bytes, users.c.quota_bytes).where(users.c.id == user_id)).one()
        percent = 100 * user.used_bytes // user.quota_bytes
        if percent >= NEARLY_USED > 100 * (user.used_bytes - size) // user.quota_bytes:
            self.events.emit(QuotaNearlyUsed(user_id=user_id, percent=percent), tx=tx)

    def ask(self, user_id: int, query: ListQuery) -> ListRequest:
        """Which page of the user's media ``query`` asks for; :class:`ValidationFailed` for a cursor that is none."""
        return MEDIA.ask(query, keys=self._keys, subject=str(user_id))

    def page(self, user_id: int, asked: ListRequest) -> dict[str, Any]:
        """One page of the user's media: ``items``, and ``next``, the cursor of the one that follows, or ``None``."""
        words = search.parse(asked.values.get("q") or "")
        wanted = asked.select(media.c.user_id == user_id, search.conditions(words, self.database.dialect))
        with self.database.read() as unit:
            page = asked.page(unit.execute(wanted).all())
            return {"items": self._described(unit, page.rows), "next": page.next}

    def _get(self, user_id: int, media_id: int) -> dict[str, Any]:
        """One of the user's media; another's, or none, raises :class:`NotFound`."""
        with self.database.read() as unit:
            return self._shown(unit, user_id, media_id)

    def _shown(self, unit: Unit, user_id: int, media_id: int) -> dict[str, Any]:
        statement = SHOWN.where(media.c.id == media_id, media.c.user_id == user_id)
        row = unit.execute(statement).mappings().first()
        if row is None:
            raise NotFound("there is no such medium in this library")
        return self._described(unit, [row])[0]

    def _described(self, unit: Unit, rows: Sequence[Any]) -> list[dict[str, Any]]:
        """The rows with their tags, fetched for all of them at once, and their colours."""
        by_media: dict[int, list[str]] = {row["id"]: [] for row in rows}
        for tag in unit.execute(_TAGS_OF, {"ids": [*by_media]}).all():
            by_media[tag.media_id].append(tag.name)
        return [
            dict(row)
            | {
                "tags": by_media[row["id"]],
                "colours": None if row["colours"] is None else row["colours"].split(),
            }
            for row in rows
        ]

    def change(
        self,
        who: Identity,
        media_id: int,
        *,
        title: str | None,
        tag_names: Iterable[str] | None,
        expected: Expected | None = None,
    ) -> None:
        """Rename a medium and replace its tags (each in its one spelling), whichever is given.

        ``expected`` is shown the medium as it is then, locked, and raises if it is not to be changed.
        :class:`NotFound`, or :class:`AccessDenied` to whom it is not: to be answered alike.
        """
        user_id = self._owner_for(who, "media:edit", media_id)

        def unit(tx: Unit) -> None:
            self._own(tx, user_id, media_id)
            if expected is not None:
                expected(self._shown(tx, user_id, media_id))
            if title is not None:
                tx.execute(update(media).where(media.c.id == media_id).values(title=title))
                self.index(tx, media_id)
            if tag_names is not None:
                tx.execute(delete(tags).where(tags.c.media_id == media_id))
                names = sorted(set(tag_names))
                if names:
                    tx.execute(insert(tags), [{"media_id": media_id, "name": name} for name in names])
            self.cache.invalidate(tag_of(user_id), tx=tx)

        self.database.transact(unit)

    def delete(self, who: Identity, media_id: int, *, expected: Expected | None = None) -> None:
        """Remove a medium; its file goes when nobody holds the same one. Raises as :meth:`change` does."""
        user_id = self._owner_for(who, "media:delete", media_id)

        def unit(tx: Unit) -> None:
            digest = self._own(tx, user_id, media_id)["digest"]
            if expected is not None:
                expected(self._shown(tx, user_id, media_id))
            size = tx.scalar(select(blobs.c.size).where(blobs.c.digest == digest).with_for_update())
            search.remove(tx, media_id)
            tx.execute(delete(tags).where(tags.c.media_id == media_id))
            tx.execute(delete(media).where(media.c.id == media_id))
            tx.execute(update(users).where(users.c.id == user_id).values(used_bytes=users.c.used_bytes - size))
            last = tx.scalar(select(func.count()).select_from(media).where(media.c.digest == digest)) == 0
            if last:
                tx.execute(delete(renditions).where(renditions.c.digest == digest))
                tx.execute(delete(blobs).where(blobs.c.digest == digest))
            self.events.emit(PosterDeleted(media_id=media_id, user_id=user_id, digest=digest, last=last), tx=tx)
            self.cache.invalidate(tag_of(user_id), tx=tx)

        self.database.transact(unit)

    def _owner_for(self, who: Identity, permission: str, media_id: int) -> int:
        """Whose the medium is, if ``who`` may do that with it: found out before any row is locked.

        So nobody waits, or makes others wait, for rows that are not theirs.
        """
        with self.database.read() as unit:
            row = unit.execute(select(media.c.user_id).where(media.c.id == media_id)).mappings().first()
        if row is None:
            raise NotFound("there is no such medium")
        self._access.require(who, permission, row, hidden=True)
        return int(row["user_id"])

    def _own(self, tx: Unit, user_id: int, media_id: int) -> Any:
        """The medium's row, locked; it may have gone since, and its id to somebody else."""
        self._lock(tx, user_id)
        found = tx.execute(select(media).where(media.c.id == media_id, media.c.user_id == user_id).with_for_update())
        row = found.mappings().first()
        if row is None:
            raise NotFound("there is no such medium in this library")
        return row

    def _stats(self, user_id: int) -> dict[str, Any]:
        """How many media the user has, the room they take and are allowed, the most used tags, and the figures."""
        with self.database.read() as unit:
            return statistics.shown(unit, user_id, self._clock.now_us())

    def refresh_statistics(self, tx: Unit, user_id: int) -> None:
        """Compute a user's figures anew.

        All of it under the user's lock: of two that run at once the later one sees no less than the earlier, so that
        what is kept is never older than what was replaced.
        """
        self._lock(tx, user_id)
        statistics.refresh(tx, user_id, self._clock.now_us())
        self.cache.invalidate(_USERS_STATISTICS.format(user_id=user_id), tx=tx)

    def without_details(self, unit: Unit, after: str, most: int) -> list[str]:
        """Digests of files whose pictures nobody has looked at yet, in order, from behind ``after`` on."""
        missing = select(blobs.c.digest).outerjoin(details, details.c.digest == blobs.c.digest)
        wanted = missing.where(details.c.digest.is_(None), blobs.c.digest > after)
        return list(unit.scalars(wanted.order_by(blobs.c.digest).limit(most)))

    def lately_active(self, most: int = 100) -> list[int]:
        """The users who uploaded last, the latest first."""
        newest = func.max(media.c.created_us).desc()
        with self.database.read() as unit:
            return list(unit.scalars(select(media.c.user_id).group_by(media.c.user_id).order_by(newest).limit(most)))

    def holders(self, unit: Unit, digest: str) -> list[int]:
        """The users whose libraries hold this file, in the one order in which all take what is theirs."""
        held = select(media.c.user_id).where(media.c.digest == digest)
        return list(unit.scalars(held.distinct().order_by(media.c.user_id)))

    def discard(self, digest: str) -> bool:
        """Remove a file unless a row names it; whether it was removed.

        An upload of the same content waits meanwhile, and then brings its own file. While a backup goes on the file
        stays, for a later sweep: a row that the backup has may name it.
        """
        return self.database.transact(lambda tx: not self.holds(tx, digest) and self.remove_file(tx, digest))

    def remove_file(self, tx: Unit, digest: str) -> bool:
        """Remove a file that ``tx`` has seen no row to name, unless a backup goes on; whether it was removed."""
        if self._held(tx):
            return False
        self.storage.remove(digest)
        return True

    def sweep(self, now: float | None = None) -> int:
        """Remove the files that a crash left and no row names; how many. ``now``: seconds since the epoch."""
        return self.storage.sweep(self._discard_unnamed, now)

    def _discard_unnamed(self, digests: Sequence[str]) -> int:
        """One look at all of them spares a write transaction for each file that is as it should be."""
        with self.database.read() as unit:
            named = set(unit.scalars(select(blobs.c.digest).where(blobs.c.digest.in_(digests))))
        return sum(self.discard(digest) for digest in digests if digest not in named)
