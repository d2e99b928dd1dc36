"""Loading, saving and ending sessions, written once for both faces."""

from __future__ import annotations

from typing import Generic, TypeVar

from .._clock import Clock
from .._metrics import Metrics
from .._steps import Steps
from ..errors import BackendError, Conflict, DecodeError
from ..stores.scripts import READ_TAGGED
from . import binding, ids, policy
from .binding import Binding, Client, Place
from .devices import Device, device_id
from .ids import Id
from .incidents import Action, Incident, Kind
from .models import Format
from .policy import Record
from .roster import Roster
from .rows import Rows, Swap, dropping, getting, pause, store_time, swapping
from .session import Draft, Row, Session

M = TypeVar("M")

# A session that was left for another, and that for another: who follows them stops somewhere.
_HOPS = 16


class Procedures(Generic[M]):
    """What the store does, as steps: see :mod:`postrmagic_core._steps`."""

    def __init__(
        self, rows: Rows, form: Format[M], bind: Binding, clock: Clock, metrics: Metrics, namespace: str
    ) -> None:
        self.roster = Roster(rows)
        self._rows = rows
        self._vault = rows.vault
        self._limits = rows.limits
        self._form = form
        self._binding = bind
        self._clock = clock
        self._created = metrics.counter("sessions_created_total", namespace=namespace)
        self._merged = metrics.counter("sessions_merged_total", namespace=namespace)
        self._unprolonged = metrics.counter("sessions_unprolonged_total", namespace=namespace)
        self._refused = metrics.counter("sessions_refused_total", namespace=namespace)

    def load(self, cookie: str | None, client: Client | None = None) -> Steps[Session[M]]:
        """The session of ``cookie``, or a new one: in one read, and in none where the cookie is not ours."""
        place = binding.place_of(client)
        # Longer ones are not ours, and would be remembered by their full length.
        names = self._vault.names(cookie) if cookie is not None and len(cookie) == ids.LENGTH else None
        if names is None or cookie is None:
            return self._new(place)
        *blobs, generation = yield getting(names.keys)
        for key, blob in zip(names.keys, blobs, strict=False):
            if blob is not None:
                opened = self._rows.opened(key, blob)
                if opened is None or policy.is_revoked(opened[1], generation):
                    return self._new(place)
                row = Row(names.id, cookie, key, *opened)
                if policy.is_in_place(row.record, row.id.serial, place):
                    return self._restored(row, place)
                return (yield from self._found(row, place))
        return self._new(place)

    def _found(self, row: Row, place: Place) -> Steps[Session[M]]:
        """The session of a row that is another's by now, or is used under an older id, or elsewhere."""
        if row.record.moved is not None:
            return (yield from self._left(row, row.record.moved, place))
        incident = yield from self._misuse(row, place)
        if incident is not None and incident.action != "logged":
            return self._new(place, incident)
        session = self._restored(row, place)
        session.incident = session.incident or incident
        return session

    def _misuse(self, row: Row, place: Place) -> Steps[Incident | None]:
        """What is wrong with the hands a session is in, and was done about it; ``None``: nothing."""
        record = row.record
        stands = policy.standing(row.id.serial, record.serial)
        if stands == "ahead":
            return self._tell("rolled_back", "refused", row)
        if stands == "old" or (stands == "previous" and not (yield from self._in_grace(record))):
            return (yield from self._betrayal(row))
        if record.user_id is None:
            return None
        verdict = binding.judge(Place(record.agent, record.network), place, self._binding)
        if verdict.rule == "off":
            return None
        if verdict.rule == "revoke":
            yield dropping([row.key])
        return self._tell("moved", "revoked" if verdict.rule == "revoke" else "logged", row, verdict.reasons)

    def _left(self, row: Row, successor: bytes, place: Place) -> Steps[Session[M]]:
        """What the id of a session that another has replaced still shows: for the grace what it showed, to be read.

        It does not show the successor, which may do more; nor anything once the successor has ended.
        """
        if not (yield from self._in_grace(row.record)) or row.id.serial < row.record.serial - 1:
            return self._new(place, (yield from self._betrayal(row)))
        [blob] = yield getting([successor])
        return self._new(place) if blob is None else self._restored(row, place)

    def _betrayal(self, row: Row) -> Steps[Incident]:
        """An id that has been replaced is used: somebody else holds it, or its successor. All of them end."""
        keys, record = [row.key], row.record
        while record.moved is not None and len(keys) < _HOPS:
            keys.append(record.moved)
            [blob] = yield getting(keys[-1:])
            opened = self._rows.opened(keys[-1], blob)
            if opened is None:
                break
            _, record = opened
        yield dropping(keys)
        last = row._replace(key=keys[-1], record=record)
        return self._tell("reused", "revoked", last)

    def _in_grace(self, record: Record) -> Steps[bool]:
        now = yield from store_time()
        return policy.in_grace(record.left_us, now, self._limits.grace)

    def _restored(self, row: Row, place: Place) -> Session[M]:
        try:
            content = self._form.restored(row.record.fields, row.record.version)
        except DecodeError as error:
            return self._new(place, self._tell("data_unreadable", "refused", row, (str(error),)))
        return Session(self._form, content, row, place)

    def _new(self, place: Place, incident: Incident | None = None) -> Session[M]:
        session = Session(self._form, self._form.begun(), place=place)
        session.incident = incident
        return session

    def _tell(self, kind: Kind, action: Action, row: Row, reasons: tuple[str, ...] = ()) -> Incident:
        incident = Incident(kind, action, device_id(row.key), row.record.user_id, reasons)
        return self._rows.watch.tell(incident)

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
        return self._reissued(draft)

    def delete(self, session: Session[M]) -> Steps[None]:
        """End the session now."""
        session.logout()
        yield from self._drop(Draft(session))

    def devices(self, user_id: str, current: Session[M] | None) -> Steps[list[Device]]:
        """The user's live sessions, the last used first."""
        return self.roster.devices(user_id, None if current is None else Draft(current).row)

    def revoke_others(self, session: Session[M]) -> Steps[None]:
        """End every session of the user but this one."""
        draft = Draft(session)
        draft.replaced((yield from self.roster.revoke_others(draft.row)))

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
            swaps.append((yield from self.roster.adding(draft.user_id, key, ends, now, left)))
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
