"""Alerts: what fires and may soon, who looks after it, what nobody is told of; what was; rules and channels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ....errors import ConfigurationError
from .. import assets, reading_alerts
from ..interface import Ask, Page, Shown
from ..reading_logs import plain

if TYPE_CHECKING:
    from ...alerts import Alert, Alerts
    from ...alerts.interface import Change

_MOST = 100
_STEP = 50
_LOOKED = 200
_LOST = 20
_LONGEST = timedelta(days=366)
_SPANS = {"1h": timedelta(hours=1), "8h": timedelta(hours=8), "24h": timedelta(hours=24)}
# Of alerts, 32 hexadecimal digits; of silences, a UUID.
_is_id = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch
TABS = ("now", "history", "rules")
"""What is shown of alerts, by what the query ``tab`` says."""


def view(ask: Ask) -> Shown:
    """What fires now, what was, or the rules; one alert where the query names it."""
    alerts: Alerts | None = ask.source("alerts")
    tab = ask.text("tab") if ask.text("tab") in TABS else "now"
    about = {"style": assets.version(), "off": alerts is None, "tab": tab, "watched": ask.stack.settings.watches}
    if alerts is None:
        return Shown("alerts.html", about)
    named = ask.text("id", 64)
    if named:
        return _one(ask, alerts, named, about)
    data = {"now": _now, "history": _history, "rules": _rules}[tab](ask, alerts)
    return Shown("alerts.html", about | data)


def _by_name(alerts: Alerts) -> dict[str, Any]:
    return {rule.name: rule for rule in alerts.rules}


def _now(ask: Ask, alerts: Alerts) -> dict[str, Any]:
    current = ask.part("the alerts", alerts.current)
    found = reading_alerts.ordered(current.value or ())
    rules = _by_name(alerts)
    return {
        "current": current,
        "alerts": [reading_alerts.shown(one, rules) for one in found[:_MOST]],
        "firing": sum(one.state == "firing" for one in found),
        "pending": sum(one.state == "pending" for one in found),
        "left": max(0, len(found) - _MOST),
        "rules": len(rules),
        "silences": ask.part("the silences", lambda: _silences(alerts)),
        "channels": len(alerts.channels),
    }


def _silences(alerts: Alerts) -> list[dict[str, Any]]:
    return [
        {
            "id": one.id,
            "rule": plain(one.rule, 190),
            "labels": reading_alerts.labels(one.labels),
            "until": one.until,
            "by": plain(one.by, 100),
            "comment": plain(one.comment, 300),
        }
        for one in alerts.silences()[:_MOST]
    ]


def _history(ask: Ask, alerts: Alerts) -> dict[str, Any]:
    after = ask.text("after", 20)

    def changes() -> list[Change]:
        try:
            return alerts.history(_STEP + 1, after or None)
        except ValueError:  # a cursor that somebody typed
            return alerts.history(_STEP + 1)

    found = ask.part("the history", changes)
    listed = (found.value or [])[:_STEP]
    return {
        "history": found,
        "changes": [reading_alerts.became(one) for one in listed],
        "after": listed[-1].cursor if len(found.value or ()) > _STEP else "",
    }


def _rules(ask: Ask, alerts: Alerts) -> dict[str, Any]:
    current = ask.part("the alerts", lambda: alerts.current("firing"))
    undelivered = ask.part("the notices", lambda: alerts.undelivered(_LOST))
    return {
        "rules": reading_alerts.ruled(ask, alerts.rules[:_MOST], current.value or ()),
        "undelivered": undelivered,
        "lost": [
            (one, plain(one.channel, 31), plain(one.title, 300), plain(one.error, 200))
            for one in undelivered.value or ()
        ],
        "channels": sorted(alerts.channels),
    }


def _one(ask: Ask, alerts: Alerts, named: str, about: dict[str, Any]) -> Shown:
    got = ask.part("the alert", lambda: alerts.get(named) if _is_id(named) else None)
    alert: Alert | None = got.value
    if alert is None:
        data = {"named": plain(named, 64), "got": got, "one": None}
        return Shown("alert.html", about | data, "Alert", 200 if got.trouble else 404)
    changes = ask.part("the history", lambda: [one for one in alerts.history(_LOOKED) if one.alert == alert.id])
    data = {
        "named": plain(named, 64),
        "got": got,
        "one": reading_alerts.shown(alert, _by_name(alerts)),
        "history": changes,
        "changes": [reading_alerts.became(one) for one in (changes.value or ())[:_STEP]],
        "looked": _LOOKED,
    }
    return Shown("alert.html", about | data, plain(alert.rule, 190))


def acknowledge(ask: Ask, form: Mapping[str, str]) -> str:
    """Say that one looks after an alert."""
    named = form.get("id", "")
    if not (_is_id(named) and _alerts(ask).acknowledge(named, ask.user)):
        raise ValueError("nothing was changed: it does not fire any more")
    return "You look after it: nothing of it is repeated."


def silence(ask: Ask, form: Mapping[str, str]) -> str:
    """Tell nobody of an alert, or of all that a rule finds, for a while."""
    alerts = _alerts(ask)
    until = _until(ask, form)
    comment = form.get("comment", "")[:250]
    named, rule = form.get("id", ""), form.get("rule", "")
    if named:
        alert = alerts.get(named) if _is_id(named) else None
        if alert is None:
            raise ValueError("there is no such alert any more")
        alerts.silence(alert.rule, alert.labels, until=until, by=ask.user, comment=comment)
    elif rule in _by_name(alerts):
        alerts.silence(rule, until=until, by=ask.user, comment=comment)
    else:
        raise ValueError("there is no such rule")
    return f"Nobody is told of it until {until:%Y-%m-%d %H:%M} UTC."


def _until(ask: Ask, form: Mapping[str, str]) -> datetime:
    span, given = form.get("for", ""), form.get("until", "").strip()
    if span in _SPANS:
        return ask.now + _SPANS[span]
    try:
        until = datetime.fromisoformat(given)
    except ValueError:
        raise ValueError("expected until when, as 2026-01-31T18:00 (UTC)") from None
    until = until if until.tzinfo is not None else until.replace(tzinfo=UTC)
    if not ask.now < until <= ask.now + _LONGEST:
        raise ValueError("expected an instant within a year from now, in UTC")
    return until


def unsilence(ask: Ask, form: Mapping[str, str]) -> str:
    """End a silence now."""
    named = form.get("id", "")
    if not (_is_id(named) and _alerts(ask).unsilence(named)):
        raise ValueError("nothing was changed: the silence has ended already")
    return "The silence has ended: what fires still is told now."


def test(ask: Ask, form: Mapping[str, str]) -> str:
    """Have a channel tell a test notification, now."""
    channel = form.get("channel", "")[:64]
    wrong = _alerts(ask).test(channel)
    if wrong:
        raise ValueError(f"{plain(channel, 31)} could not tell it: {plain(wrong, 300)}")
    return f"{channel} has told a test notification."


def _alerts(ask: Ask) -> Alerts:
    alerts: Alerts | None = ask.source("alerts")
    if alerts is None:
        raise ConfigurationError("no alerts are kept here")
    return alerts


_ACTIONS = {"acknowledge": acknowledge, "silence": silence, "unsilence": unsilence, "test": test}

PAGE = Page("alerts", "Alerts", "Watch", view, _ACTIONS, key="a")
