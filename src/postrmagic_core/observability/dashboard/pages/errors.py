"""Errors in groups: which there are, what one looks like, and saying what is to become of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, get_args

from ...errors.interface import State
from ..interface import Ask, Page, Shown
from ..reading_series import bars

if TYPE_CHECKING:
    from ...errors import ErrorGroup

_PER_PAGE = 25
_HOURS = 24
_DAYS = 14
# Of a chain of causes that never ends nobody reads more.
_CAUSES = 20
_NOTES = 20
_QUOTED = 200
_STATES: tuple[str, ...] = get_args(State)
_SPANS = {"1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7)}

LEADS = {"trace_id": "Trace", "request_id": "Request", "job_id": "Job", "event_id": "Event"}
"""What leads on from an error to all that the log has of the same."""
_ELSEWHERE = {"ts", "level", "logger", "event", "exception", *LEADS}


@dataclass(frozen=True, slots=True)
class Raised:
    """One exception of a sample: its ``frames`` (file, line, function), the innermost last; ``depth``: of a cause."""

    type: str
    message: str
    frames: list[tuple[str, str, str]]
    notes: list[str] = field(default_factory=list)
    depth: int = 0
    is_cause: bool = False


def view(ask: Ask) -> Shown:
    """The groups; one where the query names it."""
    named = ask.text("id", 64)
    return _one(ask, named) if named else _list(ask)


def _list(ask: Ask) -> Shown:
    state, search, after = ask.text("state"), ask.text("q"), ask.text("after", 100)
    errors = ask.stack.observability.errors
    known: Any = state if state in _STATES else None

    def found() -> list[ErrorGroup]:
        try:
            listed: list[ErrorGroup] = errors.find(state=known, search=search, after=after or None, limit=_PER_PAGE + 1)
        except ValueError:  # a cursor that somebody typed: the first page is what they get
            listed = errors.find(state=known, search=search, limit=_PER_PAGE + 1)
        return listed

    groups = ask.part("the error groups", found)
    shown = (groups.value or [])[:_PER_PAGE]
    names = [group.fingerprint for group in shown]
    hours = ask.part("the counts", lambda: errors.hourly(names, hours=_HOURS)).value or {}
    return Shown(
        "errors.html",
        {
            "groups": groups,
            "shown": shown,
            "drawn": {name: _drawn(hours.get(name, [])) for name in names},
            "after": shown[-1].cursor if len(groups.value or ()) > _PER_PAGE else "",
            "state": state if known else "",
            "states": _STATES,
            "search": search,
            "kept": ask.stack.settings.observability.errors,
        },
    )


def _one(ask: Ask, fingerprint: str) -> Shown:
    errors = ask.stack.observability.errors
    group: ErrorGroup | None = errors.get(fingerprint)
    if group is None:
        return Shown("error.html", {"named": fingerprint, "group": None}, "Error", 404)
    sample = group.sample or {}
    hours = errors.hourly([fingerprint], hours=_DAYS * 24).get(fingerprint, [])
    return Shown(
        "error.html",
        {
            "named": fingerprint,
            "group": group,
            "raised": list(_raised(sample.get("exception"))),
            "event": str(sample.get("event", "")),
            "at": str(sample.get("ts", "")),
            "fields": [(name, value) for name, value in sample.items() if name not in _ELSEWHERE],
            "leads": [(name, title, str(sample[name])) for name, title in LEADS.items() if sample.get(name)],
            "drawn": _drawn(hours[-_HOURS:]),
            "like_it": _like(group, str(sample.get("event", ""))),
            "days": [sum(hours[at : at + 24]) for at in range(0, len(hours), 24)],
            "release": ask.stack.settings.stack.release,
        },
        group.type or "Error",
    )


def _like(group: ErrorGroup, event: str) -> str:
    """What asks the log for others of the kind: by type, or by what was logged where there was no exception."""
    said = (group.type or event).replace("\\", "\\\\").replace('"', '\\"')[:_QUOTED]
    return f'level>=error logger="{group.logger}" "{said}"'


def _drawn(hours: Sequence[int]) -> tuple[str, str]:
    """The bars of the hours, and what they are in words."""
    return bars(hours), f"{sum(hours)} in {_HOURS} hours, {max(hours, default=0)} at most in one"


def _raised(error: object, depth: int = 0, *, is_cause: bool = False) -> Iterator[Raised]:
    """An exception as the log describes it, with those in it and its causes; what is not as expected is left out."""
    if not isinstance(error, dict) or depth > _CAUSES:
        return
    frames = [
        (str(frame.get("file", "")), str(frame.get("line", "")), str(frame.get("function", "")))
        for frame in _list_of(error.get("frames"))
        if isinstance(frame, dict)
    ]
    notes = [str(note) for note in _list_of(error.get("notes"))[:_NOTES]]
    yield Raised(str(error.get("type", "")), str(error.get("message", "")), frames, notes, depth, is_cause)
    for inner in _list_of(error.get("errors")):
        yield from _raised(inner, depth + 1)
    yield from _raised(error.get("cause"), depth + 1, is_cause=True)


def _list_of(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def resolve(ask: Ask, form: Mapping[str, str]) -> str:
    """Say that the error is no more, from now on or from a release on."""
    release = form.get("release", "").strip()
    _known(ask.stack.observability.errors.resolve(form.get("id", ""), release=release, by=ask.user))
    return f"Resolved in {release}: an older release may still have it." if release else "Resolved."


def ignore(ask: Ask, form: Mapping[str, str]) -> str:
    """Say that nobody need care, for good or for a while."""
    span = form.get("for", "")
    until = ask.now + _SPANS[span] if span in _SPANS else None
    _known(ask.stack.observability.errors.ignore(form.get("id", ""), until=until, by=ask.user))
    return "Ignored." if until is None else f"Ignored for {span}: seen after that, it is new again."


def reopen(ask: Ask, form: Mapping[str, str]) -> str:
    """Say that it is as if nobody had looked at it."""
    _known(ask.stack.observability.errors.reopen(form.get("id", ""), by=ask.user))
    return "New again."


def _known(there: bool) -> None:
    if not there:
        raise ValueError("there is no such error group any more")


PAGE = Page(
    "errors", "Errors", "Watch", view, {"resolve": resolve, "ignore": ignore, "reopen": reopen}, every=10.0, key="e"
)
