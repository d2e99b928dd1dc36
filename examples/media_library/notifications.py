"""What users are told while nobody waits for an answer: kept until read, equal ones counted together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import delete, insert, select, update

from postrmagic_core._clock import SystemClock
from postrmagic_core.cache import CacheManager
from postrmagic_core.database import DatabaseManager, Unit

from .events import AccountChanged, Notable, PosterReady, QuotaNearlyUsed
from .tables import notifications, users

SHOWN = 50
KEPT_US = 90 * 86_400 * 1_000_000
# What is told of an account, by its kind.
_OF_ACCOUNTS = {
    "password.changed": "Your password was changed.",
    "password.reset": "Your password was reset by a link.",
    "factor.enabled": "A second factor was set up for your account.",
    "factor.disabled": "The second factor of your account was turned off.",
    "factor.codes_renewed": "New recovery codes were made for your account.",
    "factor.recovery_code_used": "A recovery code was used to log in.",
}


class Notifications:
    """The users' notifications; ``latest`` is answered from the cache until there is another."""

    def __init__(self, database: DatabaseManager, cache: CacheManager) -> None:
        self._database = database
        self._cache = cache
        self._clock = SystemClock()
        tag = "user:{user_id}:notifications"
        self.latest = cache.cached("notifications:{user_id}", fresh=60.0, stale=600.0, tags=[tag])(self._latest)
        self._tag = tag

    def add(self, tx: Unit, event: Notable) -> None:
        """Tell the event's user of it; as long as it is not read, the next of its kind is told in the same line."""
        kind, amount, together = _told_of(event)
        user_id = event.user_id
        # Under the user's lock there is one unread line of a kind, and no number is lost.
        tx.execute(select(users.c.id).where(users.c.id == user_id).with_for_update())
        of_kind = select(notifications).where(notifications.c.user_id == user_id, notifications.c.kind == kind)
        unread = tx.execute(of_kind.where(notifications.c.read_us.is_(None))).mappings().first()
        now_us = self._clock.now_us()
        if unread is None:
            row = {"user_id": user_id, "kind": kind, "amount": amount, "changed_us": now_us}
            tx.execute(insert(notifications).values(row))
        else:
            row = {
                "amount": together(unread["amount"], amount),
                "changed_us": max(now_us, unread["changed_us"] + 1),
            }
            tx.execute(update(notifications).where(notifications.c.id == unread["id"]).values(row))
        self._cache.invalidate(self._tag.format(user_id=user_id), tx=tx)

    def _latest(self, user_id: int) -> list[dict[str, Any]]:
        """The user's notifications, the latest first: ``kind``, ``amount``, ``changed_us``, ``read_us`` or ``None``."""
        newest = select(notifications).where(notifications.c.user_id == user_id)
        order = notifications.c.changed_us.desc(), notifications.c.id.desc()
        with self._database.read() as unit:
            return [dict(row) for row in unit.execute(newest.order_by(*order).limit(SHOWN)).mappings()]

    def read(self, user_id: int, until_us: int) -> None:
        """The user has seen what changed up to that instant; a line that changed since stays unread."""
        seen = update(notifications).where(
            notifications.c.user_id == user_id,
            notifications.c.read_us.is_(None),
            notifications.c.changed_us <= until_us,
        )

        def unit(tx: Unit) -> None:
            if tx.execute(seen.values(read_us=self._clock.now_us())).rowcount:
                self._cache.invalidate(self._tag.format(user_id=user_id), tx=tx)

        self._database.transact(unit)

    def forget(self, tx: Unit) -> int:
        """Remove the notifications that have not changed for 90 days, read or not; how many."""
        old = notifications.c.changed_us < self._clock.now_us() - KEPT_US
        return int(tx.execute(delete(notifications).where(old)).rowcount)


def message_of(kind: str, amount: int) -> str:
    """The notification in words."""
    if kind == "posters_ready":
        return "A poster is ready." if amount == 1 else f"{amount} posters are ready."
    if kind in _OF_ACCOUNTS:
        return _OF_ACCOUNTS[kind]
    return f"{amount} % of your room is used."


def _told_of(event: Notable) -> tuple[str, int, Callable[[int, int], int]]:
    """The event as kind and amount, and how the amounts of two make one."""
    if isinstance(event, PosterReady):
        return "posters_ready", 1, int.__add__
    if isinstance(event, QuotaNearlyUsed):
        return "quota_nearly_used", event.percent, max
    if isinstance(event, AccountChanged) and event.what in _OF_ACCOUNTS:
        return event.what, 1, int.__add__
    raise TypeError(f"nobody has said how to tell users of {type(event).__name__}")
