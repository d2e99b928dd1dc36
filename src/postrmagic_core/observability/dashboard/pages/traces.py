"""Traces: the newest, the slow and the failed; and one story as it went, with what was logged on its way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import assets
from ..interface import Ask, Page, Shown
from ..reading_logs import plain
from ..reading_traces import MOST, SLOW_MS, ids, query, steps, traces

if TYPE_CHECKING:
    from ....log.search import LogIndex, Story
    from ....log.search import Page as Found

_STEP = 50
_ONLY = ("failed", "slow")
_PAGES = {"trace_id": "trace", "request_id": "request", "job_id": "job"}


def view(ask: Ask) -> Shown:
    """The newest traces; the story of an id where the query names one."""
    index: LogIndex | None = ask.source("logs")
    about = {"style": assets.version(), "index": index is not None, "kept": ask.stack.settings.observability.traces}
    named = ask.text("id", 100).strip()
    if named and index is not None:
        return _story(ask, index, named, about)
    name, only = ask.text("name").strip(), ask.text("only")
    only = only if only in _ONLY else ""
    about |= {"name": name, "only": only, "slow": SLOW_MS / 1000}
    if index is None:
        return Shown("traces.html", about)
    before, asked = ask.text("before", 40), query(name, only)

    def search() -> Found:
        try:
            return index.search(asked, limit=_STEP, before=before or None)
        except ValueError:  # a cursor that somebody typed
            return index.search(asked, limit=_STEP)

    found = ask.part("the traces", search)
    page = found.value
    shown = {
        "found": found,
        "traces": [] if page is None else traces(page.records),
        "older": "" if page is None else page.cursor or "",
    }
    return Shown("traces.html", about | shown)


def _story(ask: Ask, index: LogIndex, named: str, about: dict[str, object]) -> Shown:
    told = ask.part("the story", lambda: index.story(named))
    story: Story | None = told.value
    data = about | {
        "named": plain(named, 100),
        "told": told,
        "story": story,
        "steps": [],
        "ids": [],
        "whole": True,
        "spans": False,
        "most": MOST,
    }
    if story is None or not story.records:
        return Shown("trace.html", data, "Trace", 200 if told.trouble else 404)
    found, whole = steps(story)
    data |= {
        "steps": found,
        "whole": whole and story.complete,
        "ids": [(_PAGES[name], plain(value, 100), value) for name, value in ids(story) if name in _PAGES],
        "spans": any(step.kind == "span" for step in found),
    }
    return Shown("trace.html", data, found[0].name if found else "Trace")


PAGE = Page("traces", "Traces", "Watch", view, every=10.0, key="t")
