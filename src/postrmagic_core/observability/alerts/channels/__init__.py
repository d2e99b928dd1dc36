"""Channels: where notifications go, each made from a URL."""

from __future__ import annotations

from collections.abc import Sequence

from ....errors import ConfigurationError, UnknownScheme
from ....registry import ALERT_CHANNELS, Registry
from ..interface import AlertChannel

_KNOWN = "smtp://, smtps://, webhook+https://, webhook+http://, slack+https:// and those of installed packages"


def channel_for(name: str, url: str, secrets: Sequence[str] = (), *, registry: Registry | None = None) -> AlertChannel:
    """The channel of a URL; ``secrets`` sign a webhook, the first one is the newest; a text may hold several.

    ``smtp://user:password@host:587?from=…&to=…``, ``smtps://``, ``webhook+https://…``, ``slack+https://…``, and the
    schemes of installed packages, whose ``from_url(url, *, what, secrets)`` is told what to call itself in errors.
    Anything else raises :class:`ConfigurationError`, which does not repeat the URL; an adapter that is none
    :class:`PluginRejected`.
    """
    what = f"alert channel {name}"
    try:
        adapter = (registry or Registry()).load(ALERT_CHANNELS, url)
    except UnknownScheme:
        raise ConfigurationError(f"{what}: expected a URL that begins with one of {_KNOWN}") from None
    keys = tuple(key for secret in secrets for key in secret.split())
    channel: AlertChannel = adapter.from_url(url, what=what, secrets=keys)
    return channel


__all__ = ["channel_for"]
