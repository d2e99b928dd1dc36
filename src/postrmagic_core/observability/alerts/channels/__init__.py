"""Channels: where notifications go, each made from a URL."""

from __future__ import annotations

from collections.abc import Sequence

from ....errors import ConfigurationError
from ..interface import AlertChannel

_KNOWN = "smtp://, smtps://, webhook+https://, webhook+http:// and slack+https://"


def channel_for(name: str, url: str, secrets: Sequence[str] = ()) -> AlertChannel:
    """The channel of a URL; ``secrets`` sign a webhook, the first one is the newest; a text may hold several.

    ``smtp://user:password@host:587?from=…&to=…``, ``smtps://``, ``webhook+https://…``, ``slack+https://…``. Anything
    else raises :class:`ConfigurationError`, which does not repeat the URL.
    """
    scheme, _, rest = url.partition("://")
    if scheme in ("smtp", "smtps"):
        from .smtp import SMTPChannel

        return SMTPChannel(url, what=f"alert channel {name}")
    if scheme in ("webhook+https", "webhook+http"):
        from .webhook import WebhookChannel

        keys = [key for secret in secrets for key in secret.split()]
        return WebhookChannel(f"{scheme.removeprefix('webhook+')}://{rest}", keys, what=f"alert channel {name}")
    if scheme in ("slack+https", "slack+http"):
        from .slack import SlackChannel

        return SlackChannel(f"{scheme.removeprefix('slack+')}://{rest}", what=f"alert channel {name}")
    raise ConfigurationError(f"alert channel {name}: expected a URL that begins with one of {_KNOWN}")


__all__ = ["channel_for"]
