"""SQL of alerts: their states, what became of them, silences, and what is on its way to channels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from sqlalchemy import and_, delete, func, insert, select, update
from sqlalchemy.dialects import mysql, sqlite

from ..._clock import from_us, to_us
from ..tables import alert_changes, alert_notices, alert_rounds, alert_silences, alerts
from .interface import Became, Change, Silence, State, Undelivered
from .policy import Held, Samples
from .told import unpacked

_ROUND: Final = "evaluation"
_ERROR_BYTES: Final = 190
_HELD_TUPLES: Final = ("fired", "told")


@dataclass(slots=True)
class Round:
    """What evaluations leave to the next one, of whatever process.

    ``samples``: of rates of change, by rule and alert. ``told``: when each gate was used last.
    """

    at_us: int = 0
    samples: dict[str, dict[str, Samples]] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)


def lock_round(tx: Any) -> Round:
    """The last evaluation, locked until the unit ends.

    Of two who evaluate at once the second goes on from what the first has found.
    """
    values = {"name": _ROUND, "at_us": 0, "data": b"{}"}
    if tx.connection.dialect.name == "sqlite":
        tx.execute(sqlite.insert(alert_rounds).values(values).on_conflict_do_nothing())
    else:
        made: Any = mysql.insert(alert_rounds).values(values)
        tx.execute(made.on_duplicate_key_update(name=alert_rounds.c.name))
    row = tx.execute(select(alert_rounds).where(alert_rounds.c.name == _ROUND).with_for_update()).one()
    found = _mapping(row.data)
    samples: dict[str, dict[str, Samples]] = {
        rule: {name: [(int(at), float(value)) for at, value in each] for name, each in by.items()}
        for rule, by in found.get("samples", {}).items()
    }
    return Round(row.at_us, samples, dict(found.get("told", {})))


def keep_round(tx: Any, kept: Round) -> None:
    """Leave it to the next one."""
    data = _packed({"samples": kept.samples, "told": kept.told})
    tx.execute(update(alert_rounds).where(alert_rounds.c.name == _ROUND).values(at_us=kept.at_us, data=data))


def held(tx: Any, state: State | None = None) -> list[Held]:
    """Alerts as they are stored, those first whose state changed last."""
    wanted = select(alerts).order_by(alerts.c.changed_us.desc(), alerts.c.id)
    if state is not None:
        wanted = wanted.where(alerts.c.state == state)
    return [_held(row) for row in tx.execute(wanted)]


def get(tx: Any, name: str, *, lock: bool = False) -> Held | None:
    """An alert by its id."""
    wanted = select(alerts).where(alerts.c.id == name)
    row = tx.execute(wanted.with_for_update() if lock else wanted).first()
    return None if row is None else _held(row)


def keep(tx: Any, one: Held) -> None:
    """Write an alert's state, whether it is there or not."""
    told = asdict(one)
    data = _packed({name: value for name, value in told.items() if name not in ("id", "rule", "state", "since_us")})
    values = {"rule": one.rule, "state": one.state, "changed_us": one.since_us, "data": data}
    if tx.connection.dialect.name == "sqlite":
        made: Any = sqlite.insert(alerts).values(id=one.id, **values)
        tx.execute(made.on_conflict_do_update(index_elements=["id"], set_=values))
    else:
        tx.execute(mysql.insert(alerts).values(id=one.id, **values).on_duplicate_key_update(values))


def drop(tx: Any, names: Sequence[str]) -> None:
    """Forget alerts, each by its key."""
    for name in sorted(names):
        tx.execute(delete(alerts).where(alerts.c.id == name))


def note(tx: Any, one: Held, became: Became, now_us: int, by: str = "") -> None:
    """Write what became of an alert."""
    data = {name: getattr(one, name) for name in ("rule", "labels", "severity", "value", "summary")}
    values = {"at_us": now_us, "alert": one.id, "state": became, "data": _packed(data | {"by": by})}
    tx.execute(insert(alert_changes).values(values))


def changes(tx: Any, limit: int, after: int | None) -> list[Change]:
    """What became of alerts, the newest first."""
    wanted = select(alert_changes).order_by(alert_changes.c.id.desc()).limit(limit)
    if after is not None:
        wanted = wanted.where(alert_changes.c.id < after)
    return [_change(row) for row in tx.execute(wanted)]


def old_changes(tx: Any, before_us: int, limit: int) -> list[int]:
    """Some changes that are older than an instant."""
    at = alert_changes.c.at_us
    return list(tx.scalars(select(alert_changes.c.id).where(at < before_us).order_by(at).limit(limit)))


def drop_changes(tx: Any, ids: Sequence[int]) -> None:
    """Forget changes, each by its key."""
    for number in ids:
        tx.execute(delete(alert_changes).where(alert_changes.c.id == number))


def silences(tx: Any, after_us: int) -> list[Silence]:
    """Those that end after an instant, those first that end first."""
    c = alert_silences.c
    found = tx.execute(select(alert_silences).where(c.until_us > after_us).order_by(c.until_us, c.id))
    return [_silence(row) for row in found]


def add_silence(tx: Any, silence: Silence) -> None:
    """Keep a silence."""
    data = _packed({"rule": silence.rule, "labels": dict(silence.labels), "comment": silence.comment})
    times = {"until_us": to_us(silence.until), "created_us": to_us(silence.created_at)}
    tx.execute(insert(alert_silences).values(id=silence.id, by_whom=silence.by, data=data, **times))


def end_silence(tx: Any, name: str, now_us: int) -> bool:
    """End a silence that still holds."""
    c = alert_silences.c
    ending = update(alert_silences).where(c.id == name, c.until_us > now_us)
    return bool(tx.execute(ending.values(until_us=now_us)).rowcount)


def drop_silences(tx: Any, before_us: int) -> None:
    """Forget silences that ended before an instant."""
    c = alert_silences.c
    for name in tx.scalars(select(c.id).where(c.until_us < before_us).limit(500)).all():
        tx.execute(delete(alert_silences).where(c.id == name))


# What is on its way

n = alert_notices.c


@dataclass(frozen=True, slots=True)
class Notice:
    """A notification for one channel; ``due_us`` is what it was when it was read, or taken."""

    id: str
    channel: str
    created_us: int
    due_us: int
    attempts: int
    payload: bytes


def add_notice(tx: Any, name: str, channel: str, payload: bytes, now_us: int) -> bool:
    """Have a channel tell it; once, however often it is added."""
    if tx.execute(select(n.id).where(n.id == name)).first() is not None:
        return False
    values = {"channel": channel, "created_us": now_us, "due_us": now_us, "attempts": 0, "dead": 0, "payload": payload}
    tx.execute(insert(alert_notices).values(id=name, **values))
    return True


def waiting(tx: Any) -> list[Notice]:
    """The oldest notice of each channel that is not given up: the next ones wait for it, so that all stay in order."""
    oldest = select(n.channel, func.min(n.created_us).label("at")).where(n.dead == 0).group_by(n.channel).subquery()
    firsts = (
        select(alert_notices)
        .join(oldest, and_(n.channel == oldest.c.channel, n.created_us == oldest.c.at))
        .where(n.dead == 0)
        .order_by(n.channel, n.id)
    )
    found: dict[str, Notice] = {}
    for row in tx.execute(firsts):
        notice = Notice(row.id, row.channel, row.created_us, row.due_us, row.attempts, bytes(row.payload))
        found.setdefault(row.channel, notice)
    return list(found.values())


def take(tx: Any, notice: Notice, until_us: int) -> bool:
    """Take a notice until then; ``False``: somebody else has it."""
    mine = update(alert_notices).where(n.id == notice.id, n.due_us == notice.due_us, n.dead == 0)
    return bool(tx.execute(mine.values(due_us=until_us)).rowcount)


def sent(tx: Any, name: str) -> None:
    """It is told."""
    tx.execute(delete(alert_notices).where(n.id == name))


def failed(tx: Any, notice: Notice, error: str, due_us: int | None, now_us: int) -> None:
    """It was not told; ``due_us``: when it is tried again, ``None``: never."""
    told = error.encode()[:_ERROR_BYTES].decode(errors="ignore")
    values: dict[str, Any] = {"attempts": notice.attempts + 1, "error": told}
    values |= {"dead": 1, "due_us": now_us} if due_us is None else {"due_us": due_us}
    tx.execute(update(alert_notices).where(n.id == notice.id).values(values))


def give_up_old(tx: Any, before_us: int, now_us: int) -> None:
    """Of what was to be told by an instant, and still is not, the channel is known nowhere: it is given up."""
    for name in tx.scalars(select(n.id).where(n.dead == 0, n.created_us <= before_us).limit(500)).all():
        values = {"dead": 1, "due_us": now_us, "error": "no process knows this channel"}
        tx.execute(update(alert_notices).where(n.id == name, n.dead == 0).values(values))


def undelivered(tx: Any, limit: int) -> list[Undelivered]:
    """What was given up, the newest first."""
    wanted = select(alert_notices).where(n.dead == 1).order_by(n.created_us.desc(), n.id).limit(limit)
    return [
        Undelivered(row.id, row.channel, from_us(row.created_us), row.attempts, row.error or "", _title(row.payload))
        for row in tx.execute(wanted)
    ]


def drop_undelivered(tx: Any, before_us: int) -> None:
    """Forget what was given up before an instant."""
    for name in tx.scalars(select(n.id).where(n.dead == 1, n.due_us < before_us).limit(500)).all():
        tx.execute(delete(alert_notices).where(n.id == name))


def _held(row: Any) -> Held:
    found = _mapping(row.data)
    known = {name: found[name] for name in Held.__dataclass_fields__ if name in found}
    known |= {name: tuple(found.get(name, ())) for name in _HELD_TUPLES}
    return Held(id=row.id, rule=row.rule, state=row.state, since_us=row.changed_us, **known)


def _change(row: Any) -> Change:
    found = _mapping(row.data)
    told = {name: found[name] for name in ("rule", "labels", "severity", "value", "summary", "by")}
    return Change(cursor=str(row.id), at=from_us(row.at_us), alert=row.alert, became=row.state, **told)


def _silence(row: Any) -> Silence:
    found = _mapping(row.data)
    until, created = from_us(row.until_us), from_us(row.created_us)
    return Silence(row.id, found["rule"], found["labels"], until, created, row.by_whom, found["comment"])


def _title(payload: bytes) -> str:
    try:
        return unpacked(payload).title
    except ValueError:
        return "?"


def _packed(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _mapping(stored: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bytes(stored))
    return found
