"""Sessions and logins: how many, how often, and what looks like misuse; and what the audit log tells administrators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ....stores.interface import SupportsUsage
from ....stores.keys import Keys
from ..interface import Ask, Page, Shown
from ..reading_figures import Figures, figures
from ..reading_series import Drawn, charts_of
from ..words import number, size

_AUDITED = 25
_CHART = Drawn("sessions", "Sessions saved", [("sessions_per_second", "saved", "")])


@dataclass(frozen=True, slots=True)
class Count:
    """One counter of all processes since they began: what it ``means``, and its ``rate`` a second."""

    name: str
    means: str
    number: int
    rate: float | None
    bad: bool = False


_SESSIONS = (
    ("sessions_created_total", "Sessions begun", "with the first write, and anew at each login", False),
    ("sessions_merged_total", "Saves merged", "with what another request of the same session had changed", False),
    ("sessions_refused_total", "Saves refused", "the session had been ended meanwhile", False),
    ("sessions_unprolonged_total", "Not prolonged", "the store was away; the next request does it", True),
)
_LOGINS = (
    ("logins_succeeded_total", "Logins", "", False),
    ("logins_failed_total", "Wrong password or factor", "", False),
    ("logins_throttled_total", "Throttled", "refused before the password was looked at", False),
    ("access_denials_total", "Permissions denied", "", False),
    ("access_tokens_refused_total", "API tokens refused", "", False),
    ("passwords_overloaded_total", "Passwords not looked at", "too many were being verified", True),
    ("audit_failures_total", "Audit entries late", "they could not be written at once", True),
)
_KINDS = {
    "reused": "an id was used after it had been replaced",
    "moved": "used from another place than before",
    "rolled_back": "the stored session is older than the client's",
    "seal_broken": "not written by this application, or under no key of its ring",
    "data_unreadable": "the data do not fit the model",
}


def view(ask: Ask) -> Shown:
    """Figures of sessions and logins, signs of misuse, and the audit log's newest entries."""
    told = figures(ask.stack, ask.clock.monotonic)
    kinds = told.values("sessions_incidents_total", "kind")
    room = ask.stack.settings.sessions
    return Shown(
        "sessions.html",
        {
            "charts": charts_of(ask, _CHART),
            "window": ask.window,
            "everybody": told.everybody,
            "sessions": [_count(told, *row) for row in _SESSIONS],
            "logins": [_count(told, *row) for row in _LOGINS],
            "incidents": [
                Count(kind, _KINDS.get(kind, ""), told.total("sessions_incidents_total", kind=kind), None, True)
                for kind in kinds
            ],
            "countable": isinstance(ask.stack.sessions.store, SupportsUsage),
            "idle": room.idle_timeout,
            "absolute": room.absolute_timeout,
            "audit": ask.part("the audit log", lambda: ask.stack.security.audit.find(limit=_AUDITED)),
        },
    )


def count(ask: Ask, form: Mapping[str, str]) -> str:
    """Count the sessions that are stored; it reads all their keys."""
    store = ask.stack.sessions.store
    if not isinstance(store, SupportsUsage):
        raise ValueError("this store cannot count its keys")
    found = store.usage(Keys(ask.stack.settings.sessions.namespace).prefix("session"))
    noun = "session is" if found.entries == 1 else "sessions are"
    return f"{number(found.entries)} {noun} stored now, in {size(found.bytes)}: visitors' and users'."


def _count(told: Figures, name: str, title: str, means: str, bad: bool) -> Count:
    return Count(title, means, told.total(name), told.rate(name), bad)


PAGE = Page("sessions", "Sessions", "Backends", view, {"count": count}, key="s")
