"""Experience: how fast pages come, which features are used, what users answer."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ..interface import Ask, Page, Shown
from ..reading_adoption import adoption
from ..reading_series import Drawn
from ..signals import alerts, drawn, marks, releases, signals

if TYPE_CHECKING:
    from ...experience import PageFigures, Survey

_CHARTS = (Drawn("loads", "Page load", [("page_load_p75", "75 of 100", "")]),)
_SPANS = {"7d": 7, "30d": 30, "90d": 90}
_SPAN = "30d"
_PAGES = 50
_COMMENTS = 20
# Where the Core Web Vitals are judged good, and poor: https://web.dev/articles/vitals
VITALS = {
    "load": (2.5, 4.0),
    "first_byte": (0.8, 1.8),
    "lcp": (2.5, 4.0),
    "inp": (0.2, 0.5),
    "layout_shift": (0.1, 0.25),
}


def view(ask: Ask) -> Shown:
    """Loads, adoption and the survey."""
    found = signals(ask, (), *_CHARTS)
    source = ask.source("experience")
    name = ask.text("span")
    name = name if name in _SPANS else _SPAN
    since = ask.now - timedelta(days=_SPANS[name])
    questions = ask.part("survey", lambda: _questions(source))
    question = ask.text("question")
    if question not in (questions.value or ()):
        question = next(iter(questions.value or ()), "")
    data = {
        "adoption": ask.part("adoption", lambda: adoption(ask, _SPANS[name])),
        "charts": drawn(found, _CHARTS, marks(ask.window, releases(ask), alerts(ask))),
        "signals": found,
        "days": _SPANS[name],
        "judged": judged,
        "pages": ask.part("pages", lambda: _pages(ask)),
        "question": question,
        "questions": questions,
        "span": name,
        "survey": ask.part("survey", lambda: _survey(source, question, since)),
        "window": ask.window,
    }
    return Shown("experience.html", data)


def judged(figure: str, value: float | None) -> str:
    """``good``, ``warn`` or ``bad``, or nothing where nothing is known."""
    if value is None:
        return ""
    good, poor = VITALS[figure]
    return "good" if value <= good else "warn" if value <= poor else "bad"


def _questions(source: Any) -> list[str] | None:
    return None if source is None else source.questions()


def _survey(source: Any, question: str, since: Any) -> Survey | None:
    return source.survey(question, since=since, comments=_COMMENTS) if question else None


def _pages(ask: Ask) -> list[PageFigures] | None:
    """By what browsers told since the processes began; those first that most told of."""
    hub = ask.source("metrics")
    if hub is None or not ask.stack.settings.observability.metrics:
        return None
    from ...experience.policy import pages

    return sorted(pages(hub.everybody()), key=lambda page: -page.count)[:_PAGES]


PAGE = Page("experience", "Experience", "Watch", view, every=10.0, key="x")
