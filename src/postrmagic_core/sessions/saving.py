"""Saving and ending a session, written once for both faces: by compare and swap, merged with what others saved."""

from __future__ import annotations

from typing import Generic, TypeVar

from .._clock import Clock
from .._metrics import Metrics
from .._steps import Steps
from ..errors import BackendError, Conflict
from ..stores.scripts import READ_TAGGED
from . import policy
from .ids import Id
from .policy import Record
from .roster import Roster
from .rows import Rows, Swap, dropping, getting, pause, store_time, swapping
from .session import Draft, Row, Session

M = TypeVar("M")


class Saving(Generic[M]):
    """What a request changed of a session, as steps: see :mod:`postrmagic_core._steps`."""

    def __init__(self, rows: Rows, roster: Roster, clock: Clock, metrics: Metrics, namespace: str) -> None:
        self._rows = rows
        self._roster = roster
        self._vault = rows.vault
        self._limits = rows.limits
        self._clock = clock
        self._created = metrics.counter("sessions_created_total", namespace=namespace)
        self._saved = metrics.counter("sessions_saved_total", namespace=namespace)
        self._merged = metrics.counter("sessions_merged_total", namespace=namespace)
        self._unprolonged = metrics.counter("sessions_unprolonged_total", namespace=namespace)
        self._refused = metrics.counter("sessions_refused_total", namespace=namespace)

    def save(self, session: Session[M]) -> Steps[str | None]:
        """Store what changed: the cookie's new value, ``""`` to drop the cookie, ``None`` to leave it."""
        draft = Draft(session)
        if session.ended:
            return None
        if draft.begins:
            return (yield from self._begin(draft))
        if draft.doomed is not None:
            yield from self._drop(draft)
            return ""
        return None if draft.row is None else (yield from self._kept(draft, draft.row))

    def _kept(self, draft: Draft[M], row: Row) -> Steps[str | None]:
        if row.record.moved is not None:
            if draft.changes:
                self._refuse(draft)
            return None
        if self._is_due(draft, row):
            try:
                if not (yield from self._update(draft, row)):
                    return None
            except BackendError:
                if draft.changes:
                    raise
                self._unprolonged.add()  # it was read, and is as good as it was: the next request prolongs it
                return None
            self._saved.add()
        return self._reissued(draft)

    def delete(self, session: Session[M]) -> Steps[None]:
        """End the session now."""
        session.logout()
        yield from self._drop(Draft(session))

    def _reissued(self, draft: Draft[M]) -> str | None:
        """The id that the client should hold from now on, if it is not the one it sent.

        Offering the next id writes nothing: it counts from the request that brings it on, so that no lost answer logs
        anybody out.
        """
        row = draft.row
        if row is None:
            return None
        serial = row.record.serial
        now, interval = self._clock.now_us(), self._limits.renewal
        if row.id.serial == serial and policy.renewal_due(row.record.renewed_us, now, interval):
            serial += 1
        if serial == row.id.serial:
            return None
        session_id = row.id.issue(serial)
        cookie = self._vault.write(session_id)
        draft.replaced(row._replace(cookie=cookie))
        return cookie

    def _begin(self, draft: Draft[M]) -> Steps[str]:
        """Make a row under an id nobody knows yet, and leave or end the one it replaces, at once."""
        session_id = self._vault.new_id(draft.user_id)
        key, failures = self._vault.row(session_id), 0
        while True:
            swaps, record = yield from self._beginning(draft, session_id, key)
            kept, *_, made = yield swapping(swaps)
            if kept:
                break
            if made is not None:
                raise Conflict("a new session's row was there already; nothing was changed")
            failures += 1
            yield from pause(failures)
        self._created.add()
        self._saved.add()
        row = Row(session_id, self._vault.write(session_id), key, 1, record)
        draft.stored(row)
        yield from self._drop(draft)
        return row.cookie

    def _beginning(self, draft: Draft[M], session_id: Id, key: bytes) -> Steps[tuple[list[Swap], Record]]:
        """What makes the new row, and what it holds: with what other requests added to the old row meanwhile."""
        old = draft.row if draft.row is not None and draft.row.record.moved is None else None
        generation, swaps, fields = 0, list[Swap](), draft.fields
        opened = None
        if draft.user_id is not None:
            reads = [key if old is None else old.key, self._vault.guard(session_id)]
            limit = self._limits.guard_ms
            blob, generation = yield lambda port: port.store.run(READ_TAGGED, reads, [limit])
            # An older generation might end before this session does, and take it along.
            yield lambda port: port.store.touch(reads[1:], limit)
            opened = None if old is None else self._rows.opened(old.key, blob)
        elif old is not None:
            [blob] = yield getting([old.key])
            opened = self._rows.opened(old.key, blob)
        now = yield from store_time()
        ends = now + round(self._limits.absolute * 1e6)
        if old is not None and opened is not None and opened[1].moved is None:
            if old.record.user_id in {None, draft.user_id}:
                fields = dict(opened[1].merged(draft.changes, 0).fields)
                swaps.append(self._rows.update(old.key, opened[0], opened[1].left(key, now)))
            else:
                swaps.append(self._rows.drop(old.key, opened[0]))
        here = self._clock.now_us()
        times = (now, ends, here, session_id.serial, here, now)
        where = (draft.place.agent, draft.place.network)
        record = Record(draft.user_id, generation, *times, *where, draft.version, None, fields)
        if draft.user_id is not None:
            left = None if old is None else old.key
            swaps.append((yield from self._roster.adding(draft.user_id, key, ends, now, left)))
        return [*swaps, self._rows.update(key, 0, record)], record

    def _is_due(self, draft: Draft[M], row: Row) -> bool:
        """Whether there is anything to write."""
        record = row.record
        touch = policy.touch_due(record.touched_us, self._clock.now_us(), self._limits.touch)
        moved = record.user_id is not None and not record.is_at(draft.place)
        return bool(draft.changes) or touch or moved or row.id.serial > record.serial

    def _update(self, draft: Draft[M], row: Row) -> Steps[bool]:
        """Save by compare and swap; merge field by field what others saved meanwhile. Whether it was not refused."""
        revision, record = row.revision, row.record
        now = (yield from store_time()) if row.id.serial > record.serial else 0
        failures = 0
        while True:
            updated = self._updated(draft, row, record, now)
            kept, _, *rows = yield swapping([self._rows.update(row.key, revision, updated)])
            if kept:
                draft.stored(row._replace(revision=revision + 1, record=updated))
                return True
            opened = self._rows.opened(row.key, rows[0])
            if opened is None or opened[1].moved is not None:
                self._refuse(draft)
                return False
            revision, record = opened
            if not draft.changes and row.id.serial <= record.serial:
                return True  # whoever saved has prolonged it
            self._merged.add()
            failures += 1
            yield from pause(failures)

    def _updated(self, draft: Draft[M], row: Row, record: Record, now_us: int) -> Record:
        merged = record.merged(draft.changes, self._clock.now_us()).renewed(row.id.serial, now_us)
        return merged.seen_at(draft.place)._replace(version=max(record.version, draft.version))

    def _drop(self, draft: Draft[M]) -> Steps[None]:
        """End the row that a logout left, and the one that took its place."""
        doomed = draft.doomed
        if doomed is not None:
            successor = [] if doomed.record.moved is None else [doomed.record.moved]
            yield dropping([doomed.key, *successor])
            draft.forgotten()

    def _refuse(self, draft: Draft[M]) -> None:
        self._refused.add()
        draft.refused()
