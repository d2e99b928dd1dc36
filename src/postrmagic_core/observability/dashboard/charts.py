"""Figures over time and figures of now, ready to be drawn: by the browser's script, and without one as lines of SVG."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from statistics import median
from typing import Literal, TypeAlias

from . import words
from .interface import Window

Points: TypeAlias = Sequence[tuple[datetime, float | None]]
Tone: TypeAlias = Literal["", "good", "warn", "bad", "soft"]

WIDTH, HEIGHT = 600, 120
"""The box in which the lines of SVG are drawn."""
_GAP = 2.5  # times the usual step: nobody looked


@dataclass(frozen=True)
class Line:
    """One line of a chart; ``None`` among its points is a gap."""

    label: str
    points: Points
    tone: Tone = ""


@dataclass(frozen=True)
class Mark:
    """An instant worth a line of its own: a release, an alert."""

    at: datetime
    label: str
    kind: Literal["release", "alert"] = "release"


@dataclass(frozen=True)
class Tile:
    """A figure of now: ``value`` as it is shown, ``trend`` as a small line, ``page`` where there is more of it."""

    title: str
    value: str
    note: str = ""
    tone: Tone = ""
    trend: Points = ()
    page: str = ""

    @property
    def path(self) -> str:
        """The trend in the box of the charts; an empty text if there is none."""
        known = _known(self.trend)
        if len(known) < 2:
            return ""
        x = [at.timestamp() for at, _ in self.trend]
        return drawn(x, [_number(value) for _, value in self.trend], _scale(x), (min(0.0, *known), max(known)))


@dataclass(frozen=True)
class Chart:
    """Lines over one window of time. ``key`` names it on its page; ``limit`` is a threshold, drawn across."""

    key: str
    title: str
    unit: str
    lines: Sequence[Line]
    window: Window
    limit: float | None = None
    marks: Sequence[Mark] = ()
    page: str = ""

    @property
    def empty(self) -> bool:
        """Nothing is known of the whole window."""
        return not any(_known(line.points) for line in self.lines)

    @property
    def summary(self) -> str:
        """The chart in a sentence, for who does not see it."""
        told = []
        for line in self.lines:
            known = _known(line.points)
            if known:
                last, least, most = (words.shown(value, self.unit) for value in (known[-1], min(known), max(known)))
                told.append(f"{line.label}: {last} now, between {least} and {most}")
        return "; ".join(told) or "nothing recorded in this time"

    @property
    def latest(self) -> list[tuple[Line, str, int]]:
        """Each line with its newest figure, as it is shown, and its place among the lines."""
        found = []
        for place, line in enumerate(self.lines):
            known = _known(line.points)
            found.append((line, words.shown(known[-1] if known else None, self.unit), place))
        return found

    @cached_property
    def columns(self) -> list[list[float | None]]:
        """The instants, in seconds, and each line's figures at them; where nobody looked there is a gap."""
        points = [{at.timestamp(): _number(value) for at, value in line.points} for line in self.lines]
        x = sorted({at for known in points for at in known})
        steps = [after - before for before, after in pairwise(x)]
        usual = median(steps) if steps else 0.0
        gaps = [before + usual for before, after in pairwise(x) if usual and after - before > _GAP * usual]
        instants = sorted({*x, *gaps})
        return [list(instants), *([known.get(at) for at in instants] for known in points)]

    @property
    def data(self) -> str:
        """What the script draws, as JSON."""
        return json.dumps(
            {
                "unit": self.unit,
                "labels": [line.label for line in self.lines],
                "tones": [line.tone for line in self.lines],
                "from": self.window.since.timestamp(),
                "to": self.window.until.timestamp(),
                "limit": _number(self.limit),
                "marks": [[mark.at.timestamp(), mark.label, mark.kind] for mark in self._marks],
                "columns": [
                    [None if value is None else float(f"{value:.6g}") for value in column] if place else column
                    for place, column in enumerate(self.columns)
                ],
            }
        )

    @property
    def paths(self) -> list[str]:
        """Each line's path in a box of :data:`WIDTH` by :data:`HEIGHT`."""
        x, *lines = self.columns
        known = [value for line in lines for value in line if value is not None]
        if not known:
            return []
        at = [float(value or 0.0) for value in x]
        across = (self.window.since.timestamp(), self.window.until.timestamp())
        return [drawn(at, line, across, (min(0.0, *known), max(known))) for line in lines]

    @property
    def rows(self) -> Iterator[tuple[datetime, list[str]]]:
        """The figures as a table, at most some twenty rows of it, the newest first."""
        by_line: list[Mapping[datetime, float | None]] = [dict(line.points) for line in self.lines]
        instants = sorted({at for known in by_line for at in known}, reverse=True)
        for at in instants[:: max(1, len(instants) // 20)]:
            yield at, [words.shown(known.get(at), self.unit) for known in by_line]

    @property
    def _marks(self) -> list[Mark]:
        return [mark for mark in self.marks if self.window.since <= mark.at <= self.window.until]


def drawn(x: Sequence[float], y: Sequence[float | None], across: tuple[float, float], up: tuple[float, float]) -> str:
    """A path of SVG through the points, begun anew after each gap."""
    (left, right), (low, high) = across, up
    wide, tall = (right - left) or 1.0, (high - low) or 1.0
    parts: list[str] = []
    pen = "M"
    for at, value in zip(x, y, strict=True):
        if value is None:
            pen = "M"
            continue
        over, down = WIDTH * (at - left) / wide, HEIGHT - (HEIGHT - 4) * (value - low) / tall - 2
        parts.append(f"{pen}{over:.1f} {down:.1f}")
        pen = "L"
    return "".join(parts)


def _scale(x: Sequence[float]) -> tuple[float, float]:
    return (x[0], x[-1]) if x else (0.0, 1.0)


def _known(points: Points) -> list[float]:
    return [number for _, value in points if (number := _number(value)) is not None]


def _number(value: object) -> float | None:
    """A number that can be drawn."""
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    return None
