"""Errors: the groups, read and changed; the sync face."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, get_args

from ..._bridge import Bridge
from ..._clock import Clock, SystemClock, from_us, to_us
from ..._protocols import Units
from ..._unit import in_own_unit
from . import policy, rows
from .interface import Change, ErrorGroup, State
from .waiting import HOUR_US

if TYPE_CHECKING:
    from .aio import AsyncErrors

_log = logging.getLogger("postrmagic_core.observability")

_KEEP_HOURS_US = 90 * 24 * HOUR_US
_KEEP_GROUPS = 10_000
_SWEEP_EVERY = 3600.0
_BATCH = 500


class Errors:
    """The error groups of an application, in ``pm_errors``.

    ``database`` is borrowed, and so is ``bridge``, on which :attr:`aio` runs; without one it has its own, which
    :meth:`close` ends. Changes are rows of each group's ``changes`` and records of the log. Two that are made at once
    are both kept there, and the later one holds.
    """

    def __init__(self, database: Units, *, clock: Clock | None = None, bridge: Bridge | None = None) -> None:
        self._database = database
        self._clock = clock or SystemClock()
        self.bridge = bridge or Bridge(2, name="postrmagic-errors-read")
        self._borrowed = bridge is not None
        self._sweeping = threading.Lock()
        self._swept: float | None = None

    @cached_property
    def aio(self) -> AsyncErrors:
        """The same groups for asyncio, with the same names."""
        from .aio import AsyncErrors

        return AsyncErrors(self)

    def find(
        self,
        *,
        state: State | None = None,
        since: datetime | None = None,
        search: str = "",
        limit: int = 100,
        after: str | None = None,
    ) -> list[ErrorGroup]:
        """Groups, those first that were seen last; without their samples and changes.

        ``state`` and ``since`` (seen at or after) choose; each word of ``search`` stands in type, message, place,
        logger or event, in whatever case. ``after`` is the ``cursor`` of the last group of the page before.
        :class:`ValueError` for a state or a cursor that is none.
        """
        if state is not None and state not in get_args(State):
            raise ValueError(f"expected a state ({', '.join(get_args(State))})")
        with self._database.read() as tx:
            return rows.listed(
                tx,
                state=state,
                since_us=None if since is None else to_us(since),
                search=policy.fit(search, 200),
                after=None if after is None else _cursor(after),
                limit=limit,
            )

    def get(self, fingerprint: str) -> ErrorGroup | None:
        """A group with its sample and its changes; ``None`` if there is none such."""
        if not _named(fingerprint):
            return None
        with self._database.read() as tx:
            return rows.get(tx, fingerprint)

    def hourly(self, fingerprints: Collection[str], *, hours: int = 24) -> Mapping[str, list[int]]:
        """How often each group's error came in each of the last hours, the present one last; kept for 90 days."""
        now_us = self._clock.now_us()
        last = now_us - now_us % HOUR_US
        begins = [last - number * HOUR_US for number in reversed(range(hours))]
        with self._database.read() as tx:
            found = rows.counts(tx, [name for name in fingerprints if _named(name)], begins[0] if begins else last)
        return {name: [counted.get(begin, 0) for begin in begins] for name, counted in found.items()}

    def resolve(self, fingerprint: str, *, release: str = "", by: str = "") -> bool:
        """Say that the error is no more: from now on, or from ``release`` on. ``False`` if there is no such group.

        Seen again it is regressed: where it is resolved in a release, only in one that began after that one.
        """
        if release and policy.IS_RELEASE(release) is None:
            raise ValueError("expected as a release 1 to 64 letters, digits and _ . + -")
        return self._change(fingerprint, Change(self._now(), policy.fit(by, 190), "resolved", release))

    def ignore(self, fingerprint: str, *, until: datetime | None = None, more: int | None = None, by: str = "") -> bool:
        """Say that nobody need care: for good, ``until`` then, or until it came ``more`` times than that.

        Seen after that, whichever comes first, it is new again. ``False`` if there is no such group.
        """
        if more is not None and more < 1:
            raise ValueError(f"expected more of at least 1, got {more}")
        if until is not None and to_us(until) <= self._clock.now_us():
            raise ValueError("expected until to be in the future")
        return self._change(fingerprint, Change(self._now(), policy.fit(by, 190), "ignored", "", until, more))

    def reopen(self, fingerprint: str, *, by: str = "") -> bool:
        """Say that it is as if nobody had looked at it. ``False`` if there is no such group."""
        return self._change(fingerprint, Change(self._now(), policy.fit(by, 190), "new"))

    def delete(self, fingerprint: str, *, by: str = "") -> bool:
        """Forget a group; seen again it is a new one. ``False`` if there is no such group."""
        if not _named(fingerprint):
            return False
        done: bool = in_own_unit(self._database, lambda tx: rows.drop(tx, fingerprint))
        if done:
            _log.info("an error group was deleted", extra={"fingerprint": fingerprint, "by": by})
        return done

    def sweep(self) -> int:
        """Forget counts of hours 90 days ago, and of more than 10,000 groups those that were not seen for longest.

        Once an hour at most, as each worker calls it every few seconds; returns how many rows.
        """
        now = self._clock.monotonic()
        with self._sweeping:
            if self._swept is not None and now - self._swept < _SWEEP_EVERY:
                return 0
            self._swept = now
        return self._sweep_hours() + self._sweep_groups()

    def close(self) -> None:
        """End the threads of :attr:`aio`, if they are its own."""
        if not self._borrowed:
            self.bridge.close()

    def _sweep_hours(self) -> int:
        before_us, swept = self._clock.now_us() - _KEEP_HOURS_US, 0
        while True:
            with self._database.read() as tx:
                old = rows.old_counts(tx, before_us, _BATCH)
            if not old:
                return swept
            in_own_unit(self._database, partial(_drop_counts, old))
            swept += len(old)

    def _sweep_groups(self) -> int:
        swept = 0
        while True:
            with self._database.read() as tx:
                names = rows.too_many(tx, _KEEP_GROUPS, _BATCH)
            if not names:
                return swept
            for name in names:
                in_own_unit(self._database, partial(_drop, name))
            swept += len(names)

    def _change(self, fingerprint: str, change: Change) -> bool:
        if not _named(fingerprint):
            return False
        before = in_own_unit(self._database, lambda tx: rows.change(tx, fingerprint, change))
        if before is None:
            return False
        told: dict[str, Any] = {"fingerprint": fingerprint, "by": change.by, "state": change.state, "was": before}
        _log.info("the state of an error group was changed", extra=told)
        return True

    def _now(self) -> datetime:
        return from_us(self._clock.now_us())


def _drop_counts(which: list[tuple[str, int]], tx: Any) -> None:
    rows.drop_counts(tx, which)


def _drop(name: str, tx: Any) -> bool:
    return rows.drop(tx, name)


def _named(fingerprint: object) -> bool:
    return isinstance(fingerprint, str) and policy.IS_FINGERPRINT(fingerprint) is not None


def _cursor(text: str) -> tuple[int, str]:
    last_us, _, name = text.partition(":")
    if not (last_us.isascii() and last_us.isdigit() and len(last_us) < 19 and _named(name)):
        raise ValueError("expected after to be the cursor of a group")
    return int(last_us), name
