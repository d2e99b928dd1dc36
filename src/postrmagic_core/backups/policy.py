"""How backups are named, and which of them are kept: decided from names alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

_FORM = re.compile(r"postrmagic-(\d{8}T\d{6})Z-[0-9a-f]{8}\.backup", re.ASCII)
_INSTANT = "%Y%m%dT%H%M%S"


@dataclass(frozen=True, slots=True)
class Retention:
    """How many backups are kept: the ``last`` newest, and the last one of so many days, weeks and months (UTC).

    Days, weeks (ISO 8601) and months count that have a backup. What one rule keeps, another need not.
    """

    last: int = 3
    daily: int = 7
    weekly: int = 4
    monthly: int = 12


def name_of(taken_at: datetime, id: str) -> str:
    """The name of a backup whose state is of ``taken_at``; names sort by time, within a second too.

    ``id`` is hexadecimal, three digits of it tell two of one moment apart.
    """
    return f"postrmagic-{taken_at.astimezone(UTC).strftime(_INSTANT)}Z-{taken_at.microsecond:05x}{id[:3]}.backup"


def taken_at(name: str) -> datetime | None:
    """When the backup ``name`` was taken, to the second (UTC); ``None`` for a name that is none of a backup."""
    found = _FORM.fullmatch(name)
    if found is None:
        return None
    try:
        return datetime.strptime(found[1], _INSTANT).replace(tzinfo=UTC)
    except ValueError:
        return None


def superseded(names: Iterable[str], keep: Retention) -> list[str]:
    """Those of ``names`` that no rule keeps, the oldest first; never one of the newest, nor what is no backup's name.

    Of the newest two of one second both stay.
    """
    dated = sorted(((at, name) for name in set(names) if (at := taken_at(name)) is not None), reverse=True)
    kept = {name for at, name in dated if at == dated[0][0]}
    kept.update(name for _, name in dated[: keep.last])
    for number, period in _PERIODS:
        latest: dict[object, str] = {}
        for at, name in dated:
            latest.setdefault(period(at), name)
        kept.update(list(latest.values())[: number(keep)])
    return [name for _, name in reversed(dated) if name not in kept]


_PERIODS: tuple[tuple[Callable[[Retention], int], Callable[[datetime], object]], ...] = (
    (lambda keep: keep.daily, lambda at: at.date()),
    (lambda keep: keep.weekly, lambda at: at.isocalendar()[:2]),
    (lambda keep: keep.monthly, lambda at: (at.year, at.month)),
)
