"""Jobs as rows: found, counted, changed by hand, and forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, bindparam, delete, func, select, update

from ..._clock import from_us
from .. import policy
from ..interface import DEAD, LIVE, PRIORITIES, Change, Counts, JobRecord, JobStatus, Selection
from ..progress import told
from ..sqltime import now_us
from ..tables import jobs, keys

if TYPE_CHECKING:
    from datetime import datetime

    from ..._protocols import UnitLike

c = jobs.c

_IDS: Any = bindparam("ids", expanding=True)
_NOTHING = ("reason", "error", "fingerprint", "progress", "started_us", "ended_us", "forget_us")
_ANEW = dict.fromkeys(_NOTHING) | {"state": "queued", "due_us": now_us(), "deliveries": 0, "cancelling": 0}
BATCH = 500
_ID_BYTES = 36


def records(tx: UnitLike, selection: Selection) -> list[JobRecord]:
    """The jobs selected: by ids in their order, else the newest first."""
    if selection.ids is not None:
        selection = replace(selection, ids=_possible(selection.ids))
    found = [_record(row) for row in tx.execute(_selected(select(jobs), selection))]
    if selection.ids is None:
        return found
    place = {job_id: number for number, job_id in enumerate(selection.ids)}
    return sorted(found, key=lambda record: place[record.status.id])


def _selected(chosen: Select[Any], selection: Selection) -> Select[Any]:
    if selection.ids is not None:
        chosen = chosen.where(c.id.in_(selection.ids))
    else:
        chosen = chosen.where(c.state.in_(selection.states)).order_by(c.id.desc()).limit(selection.limit)
    for column, value in ((c.queue, selection.queue), (c.task, selection.task)):
        if value is not None:
            chosen = chosen.where(column == value)
    return chosen if selection.before_us is None else chosen.where(c.ended_us < selection.before_us)


# By the index in which workers look: the lease of what runs ends in the future, and what was abandoned is due too.
_OLDEST = select(c.queue, (now_us() - func.min(c.due_us)).label("age_us")).where(c.due_us > 0).group_by(c.queue)


def counts(tx: UnitLike) -> Mapping[str, Counts]:
    """Jobs that have not ended and dead ones, by queue."""
    numbers: dict[str, dict[str, Any]] = {}
    by_state = select(c.queue, c.state, func.count()).where(c.state.in_(LIVE | DEAD)).group_by(c.queue, c.state)
    for row in tx.execute(by_state):
        queue, state, number = tuple(row)
        of = numbers.setdefault(queue, {})
        name = "dead" if state in DEAD else "running" if state == "running" else "queued"
        of[name] = of.get(name, 0) + number
    waiting = c.state.in_(["queued", "retrying"])
    later = select(c.queue, func.count()).where(waiting, c.due_us > now_us()).group_by(c.queue)
    for row in tx.execute(later):
        queue, number = tuple(row)
        numbers[queue]["later"] = number
        numbers[queue]["queued"] -= number
    for row in tx.execute(_OLDEST):
        numbers.setdefault(row.queue, {})["oldest"] = max(0.0, float(row.age_us) / 1e6)
    return {queue: Counts(**of) for queue, of in numbers.items()}


def alter(change: Change, selection: Selection, unit: Callable[[Callable[[UnitLike], Any]], Any]) -> list[str]:
    """Change the jobs selected that can be changed so, a batch in each unit; their ids."""
    changed: list[str] = []
    for ids in _batches(change, selection, unit):
        changed += unit(partial(_CHANGES[change], ids=ids))
    return changed


def _batches(
    change: Change, selection: Selection, unit: Callable[[Callable[[UnitLike], Any]], Any]
) -> Iterator[Sequence[str]]:
    if selection.ids is None:
        chosen = _selected(select(c.id), policy.changeable(change, selection))
        ids = unit(lambda tx: list(tx.execute(chosen).scalars()))
    else:
        ids = _possible(selection.ids)
    for start in range(0, len(ids), BATCH):
        yield ids[start : start + BATCH]


def _possible(ids: Sequence[str]) -> list[str]:
    """Those that can be in the column: a longer one is nobody's."""
    return [job_id for job_id in dict.fromkeys(ids) if len(job_id.encode()) <= _ID_BYTES]


def _locked(tx: UnitLike, ids: Sequence[str], change: Change) -> dict[str, str]:
    """The present state of those of ``ids`` that can be changed so."""
    found = select(c.id, c.state).where(c.id.in_(_IDS), c.state.in_(policy.CHANGEABLE[change])).with_for_update()
    states = {row.id: row.state for row in tx.execute(found, {"ids": ids})}
    return {job_id: states[job_id] for job_id in ids if job_id in states}


def _cancel(tx: UnitLike, ids: Sequence[str]) -> list[str]:
    states = _locked(tx, ids, "cancel")
    running = [job_id for job_id, state in states.items() if state == "running"]
    waiting = [job_id for job_id, state in states.items() if state != "running"]
    ended = {"state": "cancelled", "due_us": None, "ended_us": now_us(), "forget_us": now_us() + c.keep_us}
    if waiting:
        tx.execute(update(jobs).where(c.id.in_(_IDS)).values(ended), {"ids": waiting})
    if running:
        tx.execute(update(jobs).where(c.id.in_(_IDS)).values(cancelling=1), {"ids": running})
    return list(states)


def _replay(tx: UnitLike, ids: Sequence[str]) -> list[str]:
    states = _locked(tx, ids, "replay")
    if states:
        tx.execute(update(jobs).where(c.id.in_(_IDS)).values(_ANEW), {"ids": list(states)})
    return list(states)


def _forget(tx: UnitLike, ids: Sequence[str]) -> list[str]:
    found = list(_locked(tx, ids, "forget"))
    if found:
        tx.execute(delete(keys).where(keys.c.job_id.in_(_IDS), keys.c.until_us.is_(None)), {"ids": found})
        tx.execute(delete(jobs).where(c.id.in_(_IDS)), {"ids": found})
    return found


_CHANGES = {"cancel": _cancel, "replay": _replay, "forget": _forget}


def expired(tx: UnitLike) -> list[str]:
    """Some jobs whose time to be kept is over."""
    old = select(c.id).where(c.state.in_(["succeeded", "cancelled"]), c.forget_us <= now_us()).limit(BATCH)
    return list(tx.execute(old).scalars())


def forget(tx: UnitLike, ids: Sequence[str]) -> None:
    """Delete ended jobs, and windows that have passed."""
    _forget(tx, ids)
    tx.execute(delete(keys).where(keys.c.until_us <= now_us()))


def _record(row: Any) -> JobRecord:
    def instant(us: int | None) -> datetime | None:
        return None if us is None else from_us(us)

    status = JobStatus(
        id=row.id,
        queue=row.queue,
        task=row.task,
        state=row.state,
        attempts=row.deliveries,
        retries=row.retries,
        created_at=from_us(row.created_us),
        due_at=instant(row.due_us) if row.state in ("queued", "retrying") else None,
        started_at=instant(row.started_us),
        ended_at=instant(row.ended_us),
        reason=row.reason,
        error=row.error,
        fingerprint=row.fingerprint,
        priority=PRIORITIES[row.priority],
        worker=row.worker,
        progress=told(row.progress),
        cancelling=bool(row.cancelling) and row.state == "running",
    )
    return JobRecord(status, row.payload, row.headers, row.result)
