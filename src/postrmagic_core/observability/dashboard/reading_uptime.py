"""The hours of probes, as a page draws them: of all that it shows in one read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from ..._clock import from_us
from ..tables import uptime_hours
from ..uptime.policy import HOUR_US
from . import words

if TYPE_CHECKING:
    from ..._protocols import Units

WIDTH: Final = 100.0
_TONES: Final[Mapping[str, str]] = {
    "up": "up",
    "some": "partly down",
    "down": "mostly down",
    "unknown": "not known",
}


@dataclass(frozen=True, slots=True)
class Block:
    """An hour or a day: ``tone`` is ``up``, ``some`` (of it was down), ``down`` (most of it was) or ``unknown``."""

    at: datetime
    tone: str
    told: str
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Drawn:
    """The blocks of a probe, and what they say in a sentence."""

    blocks: Sequence[Block]
    told: str


def drawn(database: Units, names: Sequence[str], now_us: int, *, hours: int, each: int = 1) -> dict[str, Drawn]:
    """So many hours of each probe until now, in blocks of ``each`` so many."""
    until = now_us - now_us % HOUR_US + HOUR_US
    since = until - hours * HOUR_US
    h = uptime_hours.c
    wanted = select(h.probe, h.hour_us, h.known_us, h.down_us)
    wanted = wanted.where(h.probe.in_(names), h.hour_us >= since, h.hour_us < until)
    spent: dict[tuple[str, int], tuple[int, int]] = {}
    with database.read() as tx:
        for probe, hour_us, known, down in tx.execute(wanted):
            block = (hour_us - since) // (each * HOUR_US)
            before = spent.get((probe, block), (0, 0))
            spent[probe, block] = before[0] + known, before[1] + down
    count = -(-hours // each)
    return {name: _drawn([spent.get((name, at), (0, 0)) for at in range(count)], since, each) for name in names}


def _drawn(spent: Sequence[tuple[int, int]], since: int, each: int) -> Drawn:
    width = WIDTH / max(1, len(spent))
    blocks = []
    for place, (known, down) in enumerate(spent):
        at = from_us(since + place * each * HOUR_US)
        tone = _tone(known, down)
        told = _TONES[tone] if tone in ("up", "unknown") else f"{words.percent(1 - down / known)} up"
        blocks.append(Block(at, tone, f"{words.instant(at)}: {told}", place * width, width * 0.86))
    unit = "hours" if each == 1 else "days" if each == 24 else f"spans of {each} hours"
    tones = [block.tone for block in blocks]
    parts = [f"{tones.count(tone)} {name}" for tone, name in _TONES.items() if tone in tones]
    return Drawn(blocks, f"{len(blocks)} {unit}: {', '.join(parts)}")


def _tone(known: int, down: int) -> str:
    if known <= 0:
        return "unknown"
    return "up" if down <= 0 else "some" if down * 2 < known else "down"
