"""Loading a session, written once for both faces: which row a cookie names, and in whose hands its id is."""

from __future__ import annotations

from typing import Generic, TypeVar

from .._steps import Steps
from ..errors import DecodeError
from . import binding, ids, policy
from .binding import Binding, Client, Place
from .devices import device_id
from .incidents import Action, Incident, Kind
from .models import Format
from .policy import Record
from .rows import Rows, dropping, getting, store_time
from .session import Row, Session

M = TypeVar("M")

# A session that was left for another, and that for another: who follows them stops somewhere.
_HOPS = 16


class Loading(Generic[M]):
    """The session that a client's cookie names, as steps: see :mod:`postrmagic_core._steps`."""

    def __init__(self, rows: Rows, form: Format[M], bind: Binding) -> None:
        self._rows = rows
        self._vault = rows.vault
        self._limits = rows.limits
        self._form = form
        self._binding = bind

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
