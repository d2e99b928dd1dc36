"""SQL of error groups: what writers add to them, what people set, and what is forgotten."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BindParameter, and_, bindparam, case, delete, func, insert, or_, select, update
from sqlalchemy.dialects import mysql, sqlite

from ..._clock import from_us, to_us
from ..._sql.types import Key
from ...database.tables import once
from ..tables import error_counts, errors, releases
from .interface import Change, ErrorGroup, State
from .policy import Held
from .waiting import AHEAD_US

c = errors.c
h = error_counts.c

CHANGES: Final = 20
_LISTED = [column for column in errors.c if column.name not in ("words", "sample", "history")]
_ONCE = "errors"
# In this order: MySQL has changed what stands before when it looks at what stands after.
_NEWEST: Final = ("service", "logger", "kind", "message", "place", "words", "last_release", "sample", "last_us")

_FINGERPRINT: BindParameter[str] = bindparam("name", type_=Key(64))
_HOUR: BindParameter[int] = bindparam("hour")


@dataclass(frozen=True, slots=True)
class Added:
    """What one process has seen of one group since it last wrote: the values of its row, and a count for each hour."""

    values: Mapping[str, Any]
    hours: Mapping[int, int]

    @property
    def fingerprint(self) -> str:
        """The group."""
        found: str = self.values["fingerprint"]
        return found


def note_once(tx: Any, batch: str, before: str | None, now_us: int, keep_us: int) -> None:
    """Say that ``batch`` is written, which nobody can say twice; of the one ``before`` nobody will ask again."""
    tx.execute(insert(once).values(id=f"{_ONCE}:{batch}", kind=_ONCE, created_us=now_us, expires_us=now_us + keep_us))
    if before is not None:
        tx.execute(delete(once).where(once.c.id == f"{_ONCE}:{before}"))


def add(tx: Any, added: Sequence[Added], now_us: int) -> None:
    """Add to each group, making it where it is not there: in one order for all, so that none waits for the other.

    What a group has from a clock that was days ahead of ``now_us`` (microseconds since the epoch) does not stay.
    """
    server = tx.connection.dialect.name != "sqlite"
    ordered = sorted(added, key=lambda one: one.fingerprint)
    rows = [{**one.values, "state": "new", "history": b"[]"} for one in ordered]
    tx.execute(_ADD[server], rows)
    counts = [
        {"fingerprint": one.fingerprint, "hour_us": hour, "count": count}
        for one in ordered
        for hour, count in sorted(one.hours.items())
    ]
    tx.execute(_ADD_COUNTS[server], counts)
    # Only now: the rows are locked by this unit, and a server that has shown them before may refuse to change them.
    names = [one.fingerprint for one in ordered]
    ahead = set(tx.scalars(select(c.fingerprint).where(c.fingerprint.in_(names), c.last_us > now_us + AHEAD_US)))
    for one in ordered:
        if one.fingerprint in ahead:
            newest = {name: one.values[name] for name in _NEWEST}
            tx.execute(update(errors).where(c.fingerprint == one.fingerprint).values(newest))


def _upsert(server: bool) -> Any:
    made: Any = mysql.insert(errors) if server else sqlite.insert(errors)
    theirs = made.inserted if server else made.excluded
    newer = theirs.last_us >= c.last_us
    changes = [
        ("first_release", case((theirs.first_us < c.first_us, theirs.first_release), else_=c.first_release)),
        ("first_us", case((theirs.first_us < c.first_us, theirs.first_us), else_=c.first_us)),
        *((name, case((newer, theirs[name]), else_=c[name])) for name in _NEWEST),
        ("count", c.count + theirs["count"]),
    ]
    if server:
        return made.on_duplicate_key_update(changes)
    return made.on_conflict_do_update(index_elements=["fingerprint"], set_=dict(changes))


def _upsert_counts(server: bool) -> Any:
    if server:
        made = mysql.insert(error_counts)
        return made.on_duplicate_key_update(count=h.count + made.inserted["count"])
    kept = sqlite.insert(error_counts)
    return kept.on_conflict_do_update(
        index_elements=["fingerprint", "hour_us"], set_={"count": h.count + kept.excluded["count"]}
    )


_ADD = {server: _upsert(server) for server in (False, True)}
_ADD_COUNTS = {server: _upsert_counts(server) for server in (False, True)}


def held(tx: Any, names: Collection[str]) -> dict[str, Held]:
    """Those of the groups that somebody has resolved or ignored; they are locked until the unit ends."""
    wanted = select(c.fingerprint, c.state, c.count, c.changed_us, c.resolved_in, c.until_us, c.until_count)
    wanted = wanted.where(c.fingerprint.in_(sorted(names)), c.state.in_(("resolved", "ignored")))
    # By primary key: a server may read a small table whole, and would lock what others are waiting for.
    found = tx.execute(wanted.with_for_update().with_hint(errors, "FORCE INDEX (PRIMARY)"))
    return {
        row.fingerprint: Held(
            row.state, row.count, row.changed_us or 0, row.resolved_in or "", row.until_us, row.until_count
        )
        for row in found
    }


def change(tx: Any, name: str, to: Change) -> State | None:
    """Bring a group into another state; the one it was in, ``None`` where there is no such group.

    Its row is locked first: of two who change it at once the second adds to what the first has done.
    """
    found = tx.execute(select(c.state, c.count, c.history).where(c.fingerprint == name).with_for_update()).first()
    if found is None:
        return None
    tx.execute(
        update(errors)
        .where(c.fingerprint == name)
        .values(
            state=to.state,
            changed_us=to_us(to.at),
            changed_by=to.by,
            resolved_in=to.release if to.state == "resolved" else None,
            until_us=None if to.until is None else to_us(to.until),
            until_count=None if to.more is None else found.count + to.more,
            history=_written([*_changes(found.history), to][-CHANGES:]),
        )
    )
    state: State = found.state
    return state


def begun(tx: Any) -> dict[str, int]:
    """When each release began, in microseconds since the epoch."""
    return {row.version: row.since_us for row in tx.execute(select(releases.c.version, releases.c.since_us))}


def get(tx: Any, name: str) -> ErrorGroup | None:
    """A group with its sample and its changes."""
    row = tx.execute(select(errors).where(c.fingerprint == name)).first()
    return None if row is None else _group(row, _sample(row.sample), tuple(_changes(row.history)))


def listed(
    tx: Any, *, state: State | None, since_us: int | None, search: str, after: tuple[int, str] | None, limit: int
) -> list[ErrorGroup]:
    """Groups, those first that were seen last."""
    wanted = select(*_LISTED).order_by(c.last_us.desc(), c.fingerprint).limit(limit)
    if state is not None:
        wanted = wanted.where(c.state == state)
    if since_us is not None:
        wanted = wanted.where(c.last_us >= since_us)
    for word in search.lower().split():
        wanted = wanted.where(func.instr(c.words, bindparam(None, word, type_=Key(2000), unique=True)) > 0)
    if after is not None:
        last_us, name = after
        wanted = wanted.where(or_(c.last_us < last_us, and_(c.last_us == last_us, c.fingerprint > name)))
    return [_group(row) for row in tx.execute(wanted)]


def counts(tx: Any, names: Collection[str], since_us: int) -> dict[str, dict[int, int]]:
    """By group and beginning of the hour, how often its error came."""
    found: dict[str, dict[int, int]] = {name: {} for name in names}
    wanted = select(h.fingerprint, h.hour_us, h.count).where(h.fingerprint.in_(sorted(found)), h.hour_us >= since_us)
    for row in tx.execute(wanted):
        found[row.fingerprint][row.hour_us] = row.count
    return found


def drop(tx: Any, name: str) -> bool:
    """Forget a group."""
    gone = tx.execute(delete(errors).where(c.fingerprint == name)).rowcount
    tx.execute(delete(error_counts).where(h.fingerprint == name))
    return bool(gone)


def old_counts(tx: Any, before_us: int, limit: int) -> list[tuple[str, int]]:
    """Some hours that began before an instant, by group and beginning."""
    found = tx.execute(select(h.fingerprint, h.hour_us).where(h.hour_us < before_us).order_by(h.hour_us).limit(limit))
    return [(row.fingerprint, row.hour_us) for row in found]


def drop_counts(tx: Any, which: Sequence[tuple[str, int]]) -> None:
    """Forget these hours: each by its key, since to delete a range would lock what is being counted."""
    gone = delete(error_counts).where(h.fingerprint == _FINGERPRINT, h.hour_us == _HOUR)
    tx.execute(gone, [{"name": name, "hour": hour} for name, hour in sorted(which)])


def too_many(tx: Any, keep: int, limit: int) -> list[str]:
    """Some of the groups beyond the ``keep`` that were seen last."""
    return list(tx.scalars(select(c.fingerprint).order_by(c.last_us.desc(), c.fingerprint).offset(keep).limit(limit)))


def _group(row: Any, sample: Mapping[str, Any] | None = None, changes: tuple[Change, ...] = ()) -> ErrorGroup:
    return ErrorGroup(
        fingerprint=row.fingerprint,
        state=row.state,
        count=row.count,
        first_seen_at=from_us(row.first_us),
        last_seen_at=from_us(row.last_us),
        first_release=row.first_release,
        last_release=row.last_release,
        service=row.service,
        logger=row.logger,
        type=row.kind,
        message=row.message,
        place=row.place,
        resolved_in=row.resolved_in or "",
        ignored_until=_instant(row.until_us),
        ignored_count=row.until_count,
        sample=sample,
        changes=changes,
    )


def _sample(stored: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(bytes(stored))
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}


def _written(changes: Sequence[Change]) -> bytes:
    told = [
        {
            "at": to_us(each.at),
            "by": each.by,
            "state": each.state,
            "release": each.release,
            "until": None if each.until is None else to_us(each.until),
            "more": each.more,
        }
        for each in changes
    ]
    return json.dumps(told, separators=(",", ":")).encode()


def _changes(stored: bytes) -> list[Change]:
    """What was written; nothing of what was not written here."""
    try:
        return [
            Change(from_us(one["at"]), one["by"], one["state"], one["release"], _instant(one["until"]), one["more"])
            for one in json.loads(bytes(stored))
        ]
    except (ValueError, LookupError, TypeError):
        return []


def _instant(us: int | None) -> datetime | None:
    return None if us is None else from_us(us)
