"""Uptime: what is looked at, how it stands and stood, and a button to look now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ...uptime.interface import ProbeStatus
from .. import assets
from ..interface import Ask, Page, Shown
from ..reading_logs import plain
from ..reading_uptime import drawn

if TYPE_CHECKING:
    from ...uptime import Uptime

_STEP = 25
_HOURS = 48
_DAYS = 30
_LOOKS = 50
_OUTAGES = 20
_SOON = 14 * 86_400


@dataclass(frozen=True, slots=True)
class Standing:
    """A probe as it is shown; ``certificate``: seconds until it expires."""

    status: ProbeStatus
    name: str
    target: str
    error: str
    state: str
    tone: str
    certificate: float | None
    expires_soon: bool


@dataclass(frozen=True, slots=True)
class Down:
    """An outage as it is shown; ``probe`` is empty where nobody looks at that one any more."""

    name: str
    probe: str
    began: datetime
    ended: datetime | None
    seconds: float
    reason: str


def view(ask: Ask) -> Shown:
    """All probes; one where the query names it."""
    uptime: Uptime | None = ask.source("uptime")
    about = {"style": assets.version(), "off": uptime is None or not uptime.probes, "now": ask.now}
    if uptime is None or not uptime.probes:
        return Shown("uptime.html", about)
    named = ask.text("name", 64)
    return _one(ask, uptime, named, about) if named else _all(ask, uptime, about)


def _all(ask: Ask, uptime: Uptime, about: dict[str, Any]) -> Shown:
    at = ask.number("from", 0, most=len(uptime.probes) - 1)
    statuses = ask.part("the probes", uptime.status)
    standing = [_standing(one, ask.now) for one in statuses.value or ()]
    standing.sort(key=lambda one: one.tone != "bad")
    shown = standing[at : at + _STEP]
    names = [one.status.name for one in shown]
    hours = ask.part("the hours", lambda: drawn(ask.stack.database, names, ask.clock.now_us(), hours=_HOURS))
    outages = ask.part("the outages", lambda: _outages(uptime, None, ask.now))
    return Shown(
        "uptime.html",
        about
        | {
            "statuses": statuses,
            "shown": shown,
            "up": sum(one.tone == "good" for one in standing),
            "down": sum(one.tone == "bad" for one in standing),
            "count": len(standing),
            "hours": hours,
            "drawn": hours.value or {},
            "outages": outages,
            "next": at + _STEP if len(standing) > at + _STEP else None,
            "watched": ask.stack.settings.watches,
        },
    )


def _one(ask: Ask, uptime: Uptime, name: str, about: dict[str, Any]) -> Shown:
    if name not in uptime.probes:
        return Shown("probe.html", about | {"named": plain(name, 64), "one": None}, "Probe", 404)
    statuses = ask.part("the probes", uptime.status)
    found = [_standing(one, ask.now) for one in statuses.value or () if one.name == name]
    now_us = ask.clock.now_us()

    def days() -> Any:
        return drawn(ask.stack.database, [name], now_us, hours=_DAYS * 24, each=24)[name]

    def looks() -> Any:
        return uptime.checks(name, ask.now - timedelta(days=7), ask.now + timedelta(minutes=5), limit=_LOOKS)

    data = {
        "named": plain(name, 64),
        "statuses": statuses,
        "one": found[0] if found else None,
        "hours": ask.part("the hours", lambda: drawn(ask.stack.database, [name], now_us, hours=_HOURS)[name]),
        "days": ask.part("the days", days),
        "looks": ask.part("the looks", lambda: [(look, plain(look.error, 200)) for look in looks()]),
        "outages": ask.part("the outages", lambda: _outages(uptime, name, ask.now)),
        "every": uptime.probes[name].every,
        "failures": uptime.probes[name].failures,
    }
    return Shown("probe.html", about | data, plain(name, 64))


def _standing(status: ProbeStatus, now: datetime) -> Standing:
    left = None if status.expires_at is None else (status.expires_at - now).total_seconds()
    state, tone = "not known", "soft"
    if status.up is not None:
        state, tone = ("up", "good") if status.up else ("down", "bad")
    elif status.last_at is not None:
        state = "not looked at lately"
    return Standing(
        status,
        plain(status.name, 64),
        plain(status.target, 200),
        plain(status.last_error, 200),
        state,
        tone,
        left,
        left is not None and left < _SOON,
    )


def _outages(uptime: Uptime, name: str | None, now: datetime) -> list[Down]:
    return [
        Down(
            plain(one.probe, 64),
            one.probe if one.probe in uptime.probes else "",
            one.began,
            one.ended,
            max(0.0, ((one.ended or now) - one.began).total_seconds()),
            plain(one.reason, 200),
        )
        for one in uptime.outages(name, _OUTAGES)
    ]


def check(ask: Ask, form: Mapping[str, str]) -> str:
    """Look at a probe now."""
    uptime: Uptime | None = ask.source("uptime")
    if uptime is None:
        raise ValueError("nothing is looked at here")
    name = form.get("name", "")
    if name not in uptime.probes:
        raise ValueError("there is no such probe")
    found = uptime.check(name)
    told = "is well" if found.ok else f"is not well: {plain(found.error, 200)}"
    return f"{plain(name, 64)} {told} ({found.ms:.0f} ms)."


PAGE = Page("uptime", "Uptime", "Watch", view, {"check": check}, every=10.0, key="u")
