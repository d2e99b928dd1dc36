"""Incoming webhooks of Slack, and of what understands the same (Mattermost, Rocket.Chat)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Self

from ....security.exchange import Endpoint
from .. import told
from ..interface import Notification, Told
from ..policy import line
from .posting import carried, post

# https://docs.slack.dev/reference/block-kit/blocks: 150 characters of a header, 3,000 of a section, 50 blocks.
_HEADER, _SECTION, _ALERTS = 150, 3000, 20


class SlackChannel:
    """Posts each notification as blocks. The URL is the secret, and stands in no error and no log."""

    def __init__(self, url: str, *, what: str = "a Slack channel") -> None:
        self._what = what
        self._endpoint = Endpoint(url, what)

    @classmethod
    def from_url(cls, url: str, *, what: str = "a Slack channel", secrets: Sequence[str] = ()) -> Self:
        """``slack+https://hooks.slack.com/services/…``; ``secrets`` are for others."""
        return cls(carried(url), what=what)

    def __repr__(self) -> str:
        return f"SlackChannel({self._what})"

    def send(self, notification: Notification) -> None:
        """Post it."""
        post(self._endpoint, self._what, {}, json.dumps(payload(notification)).encode())

    def close(self) -> None:
        """Nothing is held."""


def payload(notification: Notification) -> dict[str, Any]:
    """What is posted: blocks, and the title for notifications of a phone. Nothing in it is markup but our own."""
    title = told.title(notification)
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": line(title, _HEADER), "emoji": False}}
    ]
    blocks += [_section(_alert(alert)) for alert in notification.alerts[:_ALERTS]]
    if notification.note:
        blocks.append(_section(escaped(line(notification.note, 1000))))
    about = f"rule {escaped(line(notification.rule, 200))} · {notification.severity}"
    if notification.runbook:
        about += f" · {escaped(line(notification.runbook, 500))}"
    blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": about, "verbatim": True}]})
    return {"text": escaped(title), "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


def escaped(text: str) -> str:
    """Text without Slack's markup: no mention, no link, no formatting.

    ``&``, ``<`` and ``>`` are control characters (https://docs.slack.dev/messaging/formatting-message-text); what
    would begin bold, italic, struck or code text is parted from its word by a zero-width space; so are, for Mattermost
    and Rocket.Chat, what mentions somebody and what is a link or an image.
    """
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\u200b{letter}\u200b" if letter in "*_~`@[]" else letter for letter in text)


def _alert(alert: Told) -> str:
    parts = [f"*{escaped(line(alert.summary, 1000))}*"]
    if alert.labels:
        parts.append(escaped(told.labels(alert)))
    parts.append(f"since {alert.at} · alert `{alert.id}`{' · flapping' if alert.flapping else ''}")
    return "\n".join(parts)


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:_SECTION], "verbatim": True}}
