"""The row behind a request with an Idempotency-Key: in flight, then taken by the unit that commits, then answered.

Each state is one value of ``response``, and every change names the value that it replaces: of two requests that hold
the same key, whatever their clocks say, the row belongs to one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import mysql, sqlite

from .._codec import decode, encode
from ..database.tables import once
from ..errors import Overtaken

if TYPE_CHECKING:
    from ..database.unit import Unit

_OPEN, _KIND = "request.open", "request"


class Answer(NamedTuple):
    """A response as it is kept; without a ``status`` nothing is known of it, without a ``body`` it was not kept."""

    status: int | None
    headers: Sequence[tuple[bytes, bytes]] = ()
    body: bytes | None = None


class Found(NamedTuple):
    """What a key already stands for."""

    state: Literal["in flight", "mismatch", "done"]
    answer: Answer = Answer(None)


@dataclass(frozen=True, slots=True)
class Terms:
    """How long rows count, in microseconds."""

    keep_us: int
    lease_us: int


class Claim:
    """One request's hold on its key. ``taken`` says whether one of its units has committed, as far as is known."""

    taken: Literal["no", "unknown", "yes"] = "no"
    lost = False
    """The key is somebody else's, or free to be: no unit may commit any more."""
    kept = False
    """The key stays: what commits from here on needs not take it."""

    def __init__(self, operation: tuple[str, bytes], token: bytes, terms: Terms, owner: object) -> None:
        self.row, fingerprint = operation
        self.fingerprint = fingerprint
        self.terms = terms
        self.owner = owner
        self.open_value = encode(["open", fingerprint, token])
        self.taken_value = encode(["taken", fingerprint, token])

    def begin(self, tx: Unit) -> Found | None:
        """Put the row there, or take over one that has expired: ``None``. Otherwise what the key stands for."""
        now = tx.now_us
        mine = {
            "kind": _OPEN,
            "created_us": now,
            "expires_us": now + self.terms.lease_us,
            "response": self.open_value,
        }
        tx.execute(_unless_there(tx.connection.dialect.name, {"id": self.row, **mine}))
        found = tx.execute(_row(self.row)).one()
        if found.response == self.open_value:
            return None
        if is_over(found.expires_us, now):
            tx.execute(update(once).where(once.c.id == self.row).values(mine))
            return None
        return self._read(found, now)

    def look(self, tx: Unit) -> Found:
        """What the key stands for now, with which somebody else has taken over."""
        found = tx.execute(_row(self.row)).one_or_none()
        return Found("in flight") if found is None else self._read(found, tx.now_us)

    def _read(self, row: Any, now: int) -> Found:
        state, fingerprint, *rest = decode(row.response)
        if fingerprint != self.fingerprint:
            return Found("mismatch")
        if state == "done":
            return Found("done", Answer(*rest))
        if state == "taken" and row.created_us + self.terms.lease_us <= now:
            return Found("done")
        return Found("in flight")

    def take(self, tx: Unit) -> None:
        """In a unit of the request, before it commits: the row becomes part of it. Raises :class:`Overtaken`."""
        if self.lost:
            raise Overtaken("the request is over and may be tried again: this unit came too late and is rolled back")
        if self.kept or self.taken == "yes":
            return
        # Both values: another unit of this same request may be doing the same.
        mine = (once.c.id == self.row) & once.c.response.in_([self.open_value, self.taken_value])
        now = tx.now_us
        times = {"created_us": now, "expires_us": now + self.terms.keep_us}
        if tx.execute(update(once).where(mine).values(kind=_KIND, response=self.taken_value, **times)).rowcount != 1:
            self.lost = True
            raise Overtaken("another request with this Idempotency-Key has taken over: the unit is rolled back")
        self.taken = "unknown"
        tx.after_commit(self._committed)
        tx.on_rollback(self._rolled_back)

    def _committed(self) -> None:
        self.taken = "yes"

    def _rolled_back(self) -> None:
        if self.taken == "unknown":
            self.taken = "no"

    def settle(self, tx: Unit, if_taken: Answer, if_open: Answer | None) -> None:
        """Keep the answer, which depends on whether the row was taken; ``if_open=None`` frees the key again."""
        if self.taken != "yes":
            mine = (once.c.id == self.row) & (once.c.response == self.open_value)
            if if_open is None:
                tx.execute(delete(once).where(mine))
            else:
                tx.execute(update(once).where(mine).values(self._done(if_open, tx.now_us)))
        if self.taken != "no":
            mine = (once.c.id == self.row) & (once.c.response == self.taken_value)
            tx.execute(update(once).where(mine).values(self._done(if_taken, tx.now_us)))

    def _done(self, answer: Answer, now: int) -> dict[str, Any]:
        value = encode(["done", self.fingerprint, answer.status, list(answer.headers), answer.body])
        return {"kind": _KIND, "response": value, "expires_us": now + self.terms.keep_us}


current: ContextVar[Claim | None] = ContextVar("postrmagic_idempotency", default=None)
"""The claim of the request this code runs for; threads and tasks that the handler starts see it too."""


def is_over(expires_us: int, now_us: int) -> bool:
    """Whether a row no longer counts."""
    return expires_us <= now_us


def taking(owner: object) -> Callable[[Unit], None]:
    """What a database calls in each unit that writes: the unit takes the claim of its request."""

    def take(tx: Unit) -> None:
        claim = current.get()
        if claim is not None and claim.owner is owner:
            claim.take(tx)

    return take


def _row(name: str) -> Any:
    return select(once.c.created_us, once.c.expires_us, once.c.response).where(once.c.id == name).with_for_update()


def _unless_there(dialect: str, values: dict[str, Any]) -> Any:
    if dialect == "sqlite":
        return sqlite.insert(once).values(values).on_conflict_do_nothing()
    # Not INSERT IGNORE, which locks a row that is there for reading only: two that then want to write would deadlock.
    return mysql.insert(once).values(values).on_duplicate_key_update(kind=once.c.kind)
