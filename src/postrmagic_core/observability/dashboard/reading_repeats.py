"""Statements that one request or job ran again and again: what the log says of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .interface import Ask

QUERY = '"ran one statement" level>=warning since:24h'
"""What asks the log for them."""
_LOOKED_AT = 200


@dataclass(frozen=True, slots=True)
class Repeated:
    """One statement at one place: ``most`` times for one ``work``, which took ``seconds``; told ``times`` in a day."""

    fingerprint: str
    sql: str
    work: str
    line: str
    most: int
    seconds: float
    times: int


def repeated(ask: Ask) -> Sequence[Repeated] | None:
    """Those of the last day, the most often repeated first; ``None`` where the log cannot be searched here."""
    logs = ask.source("logs")
    return None if logs is None else gathered(logs.search(QUERY, limit=_LOOKED_AT).records)


def gathered(records: Iterable[Mapping[str, Any]]) -> list[Repeated]:
    """The warnings of one statement and kind of work as one; what is not such a warning is passed over."""
    found: dict[tuple[str, str], Repeated] = {}
    for record in records:
        fingerprint, count, seconds = record.get("fingerprint"), record.get("count"), record.get("seconds")
        if not (isinstance(fingerprint, str) and isinstance(count, int) and isinstance(seconds, int | float)):
            continue
        work = str(record.get("work", ""))
        known = found.get((fingerprint, work))
        told = Repeated(
            fingerprint,
            str(record.get("sql", "")),
            work,
            str(record.get("line", "")),
            max(count, known.most if known else 0),
            max(float(seconds), known.seconds if known else 0.0),
            1 + (known.times if known else 0),
        )
        found[fingerprint, work] = told
    return sorted(found.values(), key=lambda each: -each.most)
