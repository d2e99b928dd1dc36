"""SQL of uptime: how each probe stands, each look, what hours came to, and outages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import and_, bindparam, case, delete, func, insert, select, update
from sqlalchemy.dialects import mysql, sqlite

from ..._clock import from_us
from ..._sql.types import Key
from ..tables import uptime_checks, uptime_hours, uptime_outages, uptime_probes
from .interface import Check, Hour, Outage
from .policy import HOUR_US, Look, Spent, State

p, k, h, o = uptime_probes.c, uptime_checks.c, uptime_hours.c, uptime_outages.c

ERROR_BYTES: Final = 190


class Summed(NamedTuple):
    """What some hours came to, in microseconds: the last day's, and the last month's, the day's among them."""

    day: Spent
    month: Spent


def due(tx: Any) -> dict[str, int]:
    """When somebody is to look at each probe again."""
    return {row.name: row.due_us for row in tx.execute(select(p.name, p.due_us))}


def begin(tx: Any, name: str, due_us: int) -> None:
    """Note a probe of which nothing is known; :class:`UniqueViolation` if it is known."""
    tx.execute(insert(uptime_probes).values(name=name, due_us=due_us, error="", failing=0))


def claim(tx: Any, name: str, seen_us: int, due_us: int) -> bool:
    """Say when somebody is to look again; ``False``: another has said so since ``seen_us`` was read."""
    claimed = update(uptime_probes).where(p.name == name, p.due_us == seen_us).values(due_us=due_us)
    return bool(tx.execute(claimed).rowcount)


def states(tx: Any) -> dict[str, State]:
    """How each probe stands."""
    return {row.name: _state(row) for row in tx.execute(select(uptime_probes))}


def held(tx: Any, name: str) -> State | None:
    """How a probe stands; nobody else changes that until the unit ends."""
    row = tx.execute(select(uptime_probes).where(p.name == name).with_for_update()).first()
    return None if row is None else _state(row)


def put(tx: Any, name: str, state: State) -> None:
    """Write down how it stands."""
    values = {column: getattr(state, column) for column in State.__dataclass_fields__}
    up = None if state.up is None else int(state.up)
    tx.execute(update(uptime_probes).where(p.name == name).values({**values, "up": up}))


def looked(tx: Any, name: str, look: Look) -> None:
    """Write down a look; where the clock was set back there may be one of that instant, and this is the one after."""
    at_us = look.at_us
    while tx.scalar(select(k.at_us).where(k.probe == name, k.at_us == at_us)) is not None:
        at_us += 1
    tx.execute(insert(uptime_checks).values(probe=name, at_us=at_us, took_us=look.took_us, error=look.error))


def add(tx: Any, name: str, hours: Mapping[int, Spent], look: Look) -> None:
    """Add what passed, and the look, to the hours they belong to."""
    here = look.at_us - look.at_us % HOUR_US
    server = tx.connection.dialect.name != "sqlite"
    values = [
        {
            "probe": name,
            "hour_us": hour,
            "known_us": spent.known,
            "down_us": spent.down,
            "checks": int(hour == here),
            "failed": int(hour == here and bool(look.error)),
            "took_us": look.took_us * (hour == here),
            "most_us": look.took_us * (hour == here),
        }
        for hour, spent in sorted({here: Spent(), **hours}.items())
    ]
    tx.execute(_ADD[server], values)


def open_outage(tx: Any, name: str, began_us: int, reason: str) -> None:
    """Note that an outage began; one that began at that very instant goes on."""
    where = and_(o.probe == name, o.began_us == began_us)
    if tx.scalar(select(o.began_us).where(where)) is None:
        tx.execute(insert(uptime_outages).values(probe=name, began_us=began_us, reason=reason))
    else:
        tx.execute(update(uptime_outages).where(where).values(ended_us=None))


def close_outages(tx: Any, name: str, ended_us: int) -> int | None:
    """Note that what went on has ended; microseconds since it began."""
    going = select(o.began_us).where(o.probe == name, o.ended_us.is_(None)).order_by(o.began_us)
    began = list(tx.scalars(going))
    for began_us in began:
        where = and_(o.probe == name, o.began_us == began_us)
        # The clock may have been set back meanwhile.
        tx.execute(update(uptime_outages).where(where).values(ended_us=max(ended_us, began_us)))
    return ended_us - began[0] if began else None


def sums(tx: Any, names: Sequence[str], day_us: int, month_us: int) -> dict[str, Summed]:
    """What the hours of each of these probes came to since two instants, the later one first."""
    of_day = [func.sum(case((h.hour_us >= day_us, column), else_=0)) for column in (h.known_us, h.down_us)]
    wanted = select(h.probe, *of_day, func.sum(h.known_us), func.sum(h.down_us))
    # By name as well: only so do both databases read the month alone.
    found = tx.execute(wanted.where(h.probe.in_(names), h.hour_us >= month_us).group_by(h.probe))
    return {
        probe: Summed(Spent(int(day_known), int(day_down)), Spent(int(known), int(down)))
        for probe, day_known, day_down, known, down in found
    }


def recoveries(tx: Any, since_us: int) -> dict[str, float]:
    """How long the outages of each probe took that ended since then, in microseconds on average."""
    wanted = select(o.probe, func.avg(o.ended_us - o.began_us)).where(o.ended_us >= since_us).group_by(o.probe)
    return {probe: float(mean) for probe, mean in tx.execute(wanted)}


def checks(tx: Any, name: str, since_us: int, until_us: int, limit: int) -> list[Check]:
    """The looks at a probe, the newest first."""
    wanted = select(k.at_us, k.took_us, k.error).where(k.probe == name, k.at_us >= since_us, k.at_us < until_us)
    found = tx.execute(wanted.order_by(k.at_us.desc()).limit(limit))
    return [Check(from_us(row.at_us), row.took_us / 1000, row.error) for row in found]


def hours(tx: Any, name: str, since_us: int, until_us: int) -> dict[int, Hour]:
    """What each hour came to, by when it began."""
    wanted = select(uptime_hours).where(h.probe == name, h.hour_us >= since_us, h.hour_us < until_us)
    return {row.hour_us: _hour(row) for row in tx.execute(wanted.order_by(h.hour_us))}


def outages(tx: Any, name: str | None, limit: int) -> list[Outage]:
    """Outages, the newest first."""
    wanted = select(uptime_outages).order_by(o.began_us.desc(), o.probe).limit(limit)
    if name is not None:
        wanted = wanted.where(o.probe == name)
    return [
        Outage(row.probe, from_us(row.began_us), None if row.ended_us is None else from_us(row.ended_us), row.reason)
        for row in tx.execute(wanted)
    ]


def old_checks(tx: Any, before_us: int, limit: int) -> list[tuple[str, int]]:
    """Some looks that were before an instant."""
    found = tx.execute(select(k.probe, k.at_us).where(k.at_us < before_us).order_by(k.at_us).limit(limit))
    return [(row.probe, row.at_us) for row in found]


def drop_checks(tx: Any, which: Sequence[tuple[str, int]]) -> None:
    """Forget these: each by its key, so that nothing but it is locked."""
    tx.execute(_GONE, [{"gone": name, "gone_at": at_us} for name, at_us in sorted(which)])


def drop_old(tx: Any, names: Iterable[str], before_us: int) -> int:
    """Forget what the hours of these probes came to before an instant, and the outages that ended before it."""
    gone = 0
    for name in names:
        gone += tx.execute(delete(uptime_hours).where(h.probe == name, h.hour_us < before_us)).rowcount
        gone += tx.execute(delete(uptime_outages).where(o.probe == name, o.ended_us < before_us)).rowcount
    return gone


_GONE = delete(uptime_checks).where(k.probe == bindparam("gone", type_=Key(64)), k.at_us == bindparam("gone_at"))
_SUMMED = ("known_us", "down_us", "checks", "failed", "took_us")


def _upsert(server: bool) -> Any:
    made: Any = mysql.insert(uptime_hours) if server else sqlite.insert(uptime_hours)
    theirs = made.inserted if server else made.excluded
    changes = {name: h[name] + theirs[name] for name in _SUMMED}
    changes["most_us"] = case((theirs.most_us > h.most_us, theirs.most_us), else_=h.most_us)
    if server:
        return made.on_duplicate_key_update(changes)
    return made.on_conflict_do_update(index_elements=["probe", "hour_us"], set_=changes)


_ADD = {server: _upsert(server) for server in (False, True)}


def _state(row: Any) -> State:
    values = {column: getattr(row, column) for column in State.__dataclass_fields__}
    return State(**{**values, "up": None if row.up is None else bool(row.up)})


def _hour(row: Any) -> Hour:
    mean = row.took_us / row.checks / 1000 if row.checks else None
    most = row.most_us / 1000 if row.checks else None
    known, down = row.known_us / 1e6, row.down_us / 1e6
    return Hour(from_us(row.hour_us), known, down, row.checks, row.failed, mean, most)
