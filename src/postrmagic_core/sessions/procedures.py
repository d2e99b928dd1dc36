"""Loading, saving and ending sessions, written once for both faces."""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from .._clock import Clock
from .._metrics import Metrics
from .._retry import RetryPolicy
from .._steps import Steps
from ..errors import Conflict, DecodeError, SealBroken
from ..stores.scripts import INVALIDATE, NOW, READ_TAGGED, SWAP
from . import policy
from .models import Shape
from .policy import Record
from .session import Draft, Row, Session
from .vault import Vault, revision_bytes

M = TypeVar("M")

_log = logging.getLogger("postrmagic_core.sessions")

# Twenty requests that write one session at once need at most twenty rounds; the rest is for bad luck.
_MERGING = RetryPolicy(attempts=50, base=0.002, cap=0.05)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a session lives without a request, how long in any case, and how often it is prolonged (seconds)."""

    idle: float
    absolute: float
    touch: float

    def __post_init__(self) -> None:
        if not (0 <= self.touch < self.idle <= self.absolute < math.inf):
            raise ValueError(
                "expected 0 <= touch_interval < idle_timeout <= absolute_timeout (seconds), got "
                f"{self.touch}, {self.idle} and {self.absolute}"
            )

    @property
    def idle_ms(self) -> int:
        """The idle time-out in milliseconds."""
        return max(round(self.idle * 1000), 1)

    @property
    def guard_ms(self) -> int:
        """How long a user's generation is kept: longer than any session that names it."""
        return math.ceil(self.absolute * 1000) + 60_000


class Procedures(Generic[M]):
    """What the store does, as steps: see :mod:`postrmagic_core._steps`."""

    def __init__(
        self, vault: Vault, shape: Shape[M], limits: Limits, clock: Clock, metrics: Metrics, namespace: str
    ) -> None:
        self._vault = vault
        self._shape = shape
        self._limits = limits
        self._clock = clock
        self._created = metrics.counter("sessions_created_total", namespace=namespace)
        self._merged = metrics.counter("sessions_merged_total", namespace=namespace)
        self._refused = metrics.counter("sessions_refused_total", namespace=namespace)
        self._broken = metrics.counter("sessions_seal_broken_total", namespace=namespace)

    def load(self, cookie: str | None) -> Steps[Session[M]]:
        """The session of ``cookie``, or a new one: in one read, and in none where the cookie cannot be ours."""
        raw = policy.read_id(cookie)
        if raw is None or cookie is None:
            return self._new()
        keys = self._vault.rows(raw)
        *blobs, generation = yield lambda port: port.store.get([*keys, self._vault.guard(raw)])
        for key, blob in zip(keys, blobs, strict=True):
            if blob is not None:
                return self._opened(cookie, key, blob, generation) or self._new()
        return self._new()

    def save(self, session: Session[M]) -> Steps[str | None]:
        """Store what changed: the cookie's new value, ``""`` to drop the cookie, ``None`` to leave it."""
        if session.ended:
            return None
        draft = Draft(session)
        if draft.begins:
            return (yield from self._begin(session, draft))
        if draft.doomed is not None:
            yield from self._drop(draft.doomed)
            draft.forgotten()
            return ""
        if draft.row is not None and (draft.changes or self._touch_due(draft.row)):
            yield from self._update(draft, draft.row)
        return None

    def delete(self, session: Session[M]) -> Steps[None]:
        """End the session now."""
        session.logout()
        doomed = Draft(session).doomed
        if doomed is not None:
            yield from self._drop(doomed)
            Draft(session).forgotten()

    def revoke_all(self, user_id: str) -> Steps[None]:
        """End every session of a user, whatever is in flight: none has the generation they get now."""
        guards = self._vault.guards(user_id)
        yield lambda port: port.store.run(INVALIDATE, guards, [self._limits.guard_ms])

    def _begin(self, session: Session[M], draft: Draft[M]) -> Steps[str]:
        """Make a row under an id nobody knows yet; only then end the one it replaces."""
        replaced = draft.row or draft.doomed
        raw = self._vault.new_id(session.user_id)
        fields: dict[str, bytes] = draft.fields
        generation = 0
        if session.user_id is not None:
            generation, fields = yield from self._logged_in(raw, draft)
        [now] = yield lambda port: port.store.run(NOW, [], [])
        ends = now + round(self._limits.absolute * 1e6)
        record = Record(session.user_id, generation, ends, self._clock.now_us(), fields)
        row = Row(policy.write_id(raw), self._vault.row(raw), 1, record)
        answer = yield self._swapping(row.key, b"", row)
        if answer[0] != 1:
            raise Conflict("a new session's row was there already; nothing was changed")
        self._created.add()
        draft.stored(row)
        if replaced is not None:
            yield from self._drop(replaced)
            draft.forgotten()
        return row.cookie

    def _logged_in(self, raw: bytes, draft: Draft[M]) -> Steps[tuple[int, dict[str, bytes]]]:
        """The user's generation, and the fields with what other requests added to the old row meanwhile."""
        old, guard = draft.row, self._vault.guard(raw)
        key = self._vault.row(raw) if old is None else old.key
        limit = self._limits.guard_ms
        blob, generation = yield lambda port: port.store.run(READ_TAGGED, [key, guard], [limit])
        # An older generation might end before this session does, and take it along.
        yield lambda port: port.store.touch([guard], limit)
        if blob is None or old is None or old.record.user_id not in {None, draft.user_id}:
            return generation, draft.fields
        opened = self._unsealed(key, blob)
        fields = draft.fields if opened is None else dict(opened[1].merged(draft.changes, 0).fields)
        return generation, fields

    def _update(self, draft: Draft[M], row: Row) -> Steps[None]:
        """Save by compare and swap; merge field by field what others saved meanwhile."""
        revision, record = row.revision, row.record
        failures = 0
        while True:
            updated = Row(row.cookie, row.key, revision + 1, record.merged(draft.changes, self._clock.now_us()))
            answer = yield self._swapping(row.key, revision_bytes(revision), updated)
            if answer[0] == 1:
                draft.stored(updated)
                return
            opened = None if answer[0] == 0 else self._unsealed(row.key, answer[1])
            if opened is None:
                self._refused.add()
                draft.refused()
                return
            if not draft.changes:
                return  # whoever saved has prolonged it
            revision, record = opened
            self._merged.add()
            failures += 1
            pause = _MERGING.delay(failures, random.random())  # noqa: S311 - jitter, no secret
            if pause is None:
                raise Conflict("the session was changed by others at every try; nothing was saved")
            yield _pausing(pause)

    def _swapping(self, key: bytes, expected: bytes, row: Row) -> Callable[[Any], Any]:
        blob = self._vault.seal(key, row.revision, row.record)
        args = [expected, blob, self._limits.idle_ms, row.record.ends_us]
        return lambda port: port.store.run(SWAP, [key], args)

    def _drop(self, row: Row) -> Steps[None]:
        yield lambda port: port.store.delete([row.key])

    def _touch_due(self, row: Row) -> bool:
        return policy.touch_due(row.record.touched_us, self._clock.now_us(), self._limits.touch)

    def _opened(self, cookie: str, key: bytes, blob: bytes, generation: bytes | None) -> Session[M] | None:
        """The session in ``blob``, unless it is not ours, not of this version, or revoked."""
        opened = self._unsealed(key, blob)
        if opened is None:
            return None
        revision, record = opened
        if record.user_id is not None and (generation is None or int(generation) != record.generation):
            return None
        try:
            data = self._shape.restored(record.fields)
        except DecodeError as error:
            _log.warning("session.data_unreadable", exc_info=error, extra={"event": "session.data_unreadable"})
            return None
        return Session(self._shape, data, Row(cookie, key, revision, record))

    def _unsealed(self, key: bytes, blob: bytes) -> tuple[int, Record] | None:
        """Revision and record; a blob that does not open counts as absent, and is told to whoever watches."""
        try:
            return self._vault.open(key, blob)
        except SealBroken:
            self._broken.add()
            _log.warning("session.seal_broken", extra={"event": "session.seal_broken"})
            return None

    def _new(self) -> Session[M]:
        return Session(self._shape, self._shape.fresh())


def _pausing(seconds: float) -> Callable[[Any], Any]:
    return lambda port: port.sleep(seconds)
