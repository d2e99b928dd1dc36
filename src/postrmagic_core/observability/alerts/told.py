"""Notifications as text, as HTML, and as plain values that are stored and sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from html import escape
from typing import Any

from .interface import Notification, Told
from .policy import line

_TITLE = 200


def as_json(notification: Notification) -> dict[str, Any]:
    """Plain values, by their names."""
    told = asdict(notification)
    told["alerts"] = [asdict(alert) | {"labels": dict(alert.labels)} for alert in notification.alerts]
    return told


def packed(notification: Notification) -> bytes:
    """The same in JSON, the shortest way."""
    return json.dumps(as_json(notification), separators=(",", ":")).encode()


def unpacked(stored: bytes) -> Notification:
    """What :func:`packed` wrote; :class:`ValueError` for anything else."""
    try:
        return from_json(json.loads(bytes(stored)))
    except (TypeError, LookupError, AttributeError) as error:
        raise ValueError("this is no notification that this version reads") from error


def from_json(found: Mapping[str, Any]) -> Notification:
    """A notification of plain values; names that this version does not know are left out."""
    known = _known(Notification, found)
    known["alerts"] = tuple(Told(**_known(Told, alert)) for alert in found["alerts"])
    return Notification(**known)


def _known(kind: type[Told | Notification], found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: found[name] for name in kind.__dataclass_fields__ if name in found}


def title(notification: Notification) -> str:
    """The title, surely in one line."""
    return line(notification.title, _TITLE)


def text(notification: Notification) -> str:
    """All of it, for a mail or a terminal; each alert in a line of its own, then its labels."""
    parts = [title(notification), ""]
    for alert in notification.alerts:
        parts.append(f"- {line(alert.summary, 1000)}")
        if alert.labels:
            parts.append(f"  {labels(alert)}")
        parts.append(f"  since {alert.at}, alert {alert.id}{', flapping' if alert.flapping else ''}")
    if notification.note:
        parts.append(line(notification.note, 1000))
    parts += ["", f"rule: {line(notification.rule, 200)}", f"severity: {notification.severity}"]
    if notification.runbook:
        parts.append(f"what to do: {line(notification.runbook, 500)}")
    return "\n".join(parts) + "\n"


def labels(alert: Told) -> str:
    """An alert's labels in one line."""
    return ", ".join(f"{line(name, 100)}={line(value, 200)}" for name, value in sorted(alert.labels.items()))


def html(notification: Notification) -> str:
    """The same as a page for a mail: everything escaped, no address that is loaded, links of http and https alone."""
    rows = "".join(
        f"<tr><td><strong>{escape(line(alert.summary, 1000))}</strong><br>{escape(labels(alert))}<br>"
        f"<small>since {escape(alert.at)}, alert {escape(alert.id)}{', flapping' if alert.flapping else ''}</small>"
        "</td></tr>"
        for alert in notification.alerts
    )
    note = f"<p>{escape(line(notification.note, 1000))}</p>" if notification.note else ""
    return (
        f"<!doctype html><title>{escape(title(notification))}</title><h2>{escape(title(notification))}</h2>"
        f"<table>{rows}</table>{note}<p>rule: {escape(line(notification.rule, 200))}<br>"
        f"severity: {escape(notification.severity)}{_runbook(notification)}</p>"
    )


def _runbook(notification: Notification) -> str:
    where = line(notification.runbook, 500)
    if not where:
        return ""
    if where.startswith(("https://", "http://")):
        return f'<br>what to do: <a href="{escape(where, quote=True)}">{escape(where)}</a>'
    return f"<br>what to do: {escape(where)}"
