"""What the overview, the requests and the experience show: charts with their thresholds, tiles with their tones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from . import words
from .charts import Chart, Line, Mark, Points, Tile, Tone
from .interface import Ask, Part, Window
from .reading_series import Drawn

if TYPE_CHECKING:
    from ..alerts import Alert
    from ..history import Series
    from ..releases import Release

_POINTS = 240
_TREND = 3  # of so many points a tile draws one
_RELEASES = 100
_MARKS = 20


@dataclass(frozen=True, slots=True)
class Signals:
    """Series of the history over a window: what each came to last, and how it went."""

    known: Mapping[str, Series]
    latest: Mapping[str, float]
    points: Mapping[str, Points]
    window: Window

    @property
    def empty(self) -> bool:
        """Nothing was written down in all of the window."""
        return not self.latest and all(value is None for points in self.points.values() for _, value in points)

    def tile(self, name: str, title: str, note: str = "", page: str = "") -> Tile:
        """A series as a tile: its newest figure, coloured where it has thresholds."""
        series, value = self.known[name], self.latest.get(name)
        trend = self.points.get(name, ())[::_TREND]
        return Tile(title, words.shown(value, series.unit), note, tone(series, value), trend, page)

    def chart(self, wanted: Drawn, marks: Sequence[Mark] = ()) -> Chart:
        """A chart with the threshold of its first series, and lines at ``marks``."""
        first = self.known[wanted.lines[0][0]]
        lines = [Line(label, self.points.get(name, ()), tone) for name, label, tone in wanted.lines]
        return Chart(wanted.key, wanted.title, first.unit, lines, self.window, first.bad, marks)


def signals(ask: Ask, names: Sequence[str], *wanted: Drawn) -> Part[Signals]:
    """The series of these names and of the charts that are ``wanted``; nothing where no history is kept."""
    charted = [name for each in wanted for name, _, _ in each.lines]
    return ask.part("the history", lambda: _signals(ask, list(dict.fromkeys([*names, *charted]))))


def _signals(ask: Ask, names: Sequence[str]) -> Signals | None:
    history = ask.source("history")
    if history is None:
        return None
    from ..history import SERIES

    window = ask.window
    points = history.range(names, window.since, window.until, points=_POINTS)
    return Signals(SERIES, history.latest(), points, window)


def drawn(found: Part[Signals], wanted: Sequence[Drawn], marks: Sequence[Mark]) -> list[Chart]:
    """The charts that are wanted; none where nothing is known."""
    return [] if found.value is None or found.value.empty else [found.value.chart(each, marks) for each in wanted]


def releases(ask: Ask) -> Part[list[Release]]:
    """The releases that began last."""
    return ask.part("releases", lambda: ask.source("releases").find(_RELEASES))


def alerts(ask: Ask) -> Part[list[Alert]]:
    """Alerts that fire, the worst first; off where nobody watches for them."""
    return ask.part("alerts", lambda: _firing(ask))


def marks(window: Window, released: Part[list[Release]], fired: Part[list[Alert]]) -> list[Mark]:
    """Releases and alerts that began within the window, the newest of each; without those that cannot be read."""
    found = [Mark(each.began_at, each.version) for each in (released.value or ())[:_MARKS]]
    found += [Mark(each.began_at, each.rule, "alert") for each in (fired.value or ())[:_MARKS]]
    return sorted((mark for mark in found if window.since <= mark.at <= window.until), key=_when)


def _firing(ask: Ask) -> list[Alert] | None:
    source = ask.source("alerts")
    if source is None:
        return None
    return sorted(source.current("firing"), key=lambda alert: (_SEVERITY.get(alert.severity, 0), alert.since))


_SEVERITY = {"critical": -2, "warning": -1}


def tone(series: Series, value: float | None) -> Tone:
    """Green up to what is good, red from what is bad, amber between; nothing where that is nobody's to say."""
    good, bad = series.good, series.bad
    if value is None or good is None or bad is None:
        return ""
    if good > bad:
        value, good, bad = -value, -good, -bad
    return "good" if value <= good else "bad" if value >= bad else "warn"


def _when(mark: Mark) -> datetime:
    return mark.at
