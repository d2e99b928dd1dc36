"""Charts of what the history keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .charts import Chart, Line
from .interface import Ask, Part

if TYPE_CHECKING:
    from .charts import Tone

_POINTS = 240


@dataclass(frozen=True, slots=True)
class Drawn:
    """A chart to be: ``lines`` of the history by series, each with its label and tone."""

    key: str
    title: str
    lines: Sequence[tuple[str, str, Tone]]


def charts_of(ask: Ask, *wanted: Drawn) -> Part[list[Chart]]:
    """The charts over the time that is asked for, in one read; nothing where no history is kept."""
    return ask.part("the history", lambda: _charts(ask, wanted))


def _charts(ask: Ask, wanted: Sequence[Drawn]) -> list[Chart] | None:
    history = ask.source("history")
    if history is None:
        return None
    from ..history import SERIES

    names = [name for each in wanted for name, _, _ in each.lines]
    window = ask.window
    found = history.range(names, window.since, window.until, points=_POINTS)
    return [
        Chart(
            each.key,
            each.title,
            SERIES[each.lines[0][0]].unit,
            [Line(label, found.get(name, ()), tone) for name, label, tone in each.lines],
            window,
        )
        for each in wanted
    ]


def bars(counts: Sequence[int], width: int = 96, height: int = 20) -> str:
    """Counts as bars, each in proportion to the greatest: the path of an SVG so wide and high; none: an empty text."""
    most = max(counts, default=0)
    if not most:
        return ""
    step = width / len(counts)
    parts = []
    for place, count in enumerate(counts):
        if count:
            tall = max(1.5, height * count / most)
            parts.append(f"M{place * step:.1f} {height}v-{tall:.1f}h{max(1.0, step - 1):.1f}v{tall:.1f}z")
    return "".join(parts)
