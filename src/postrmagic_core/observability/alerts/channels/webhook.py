"""A webhook, signed as Standard Webhooks has it (https://www.standardwebhooks.com, version 1.0.0)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Sequence
from typing import Self

from ....errors import ConfigurationError
from ....security.exchange import Endpoint
from ..interface import Notification
from ..told import as_json
from .posting import carried, post

_PREFIX = "whsec_"
_KEY_BYTES = (24, 64)


class WebhookChannel:
    """Posts each notification as JSON: ``{"type": "alert.firing", "timestamp": …, "data": …}``.

    ``secrets`` are ``whsec_`` and 24 to 64 bytes in base64. The message is signed with each of them, the newest first,
    so that a receiver that knows one of them takes it: give both while you change them. Without any it is not signed,
    and :class:`ConfigurationError` says so.
    """

    def __init__(
        self, url: str, secrets: Sequence[str], *, what: str = "a webhook", now: Callable[[], float] = time.time
    ) -> None:
        self._what = what
        self._keys = [_key(secret, what) for secret in secrets]
        if not self._keys:
            raise ConfigurationError(f"{what}: a webhook needs observability.webhook_secret to be signed with")
        self._endpoint = Endpoint(url, what)
        self._now = now

    @classmethod
    def from_url(cls, url: str, *, what: str = "a webhook", secrets: Sequence[str] = ()) -> Self:
        """``webhook+https://example.org/hook``."""
        return cls(carried(url), secrets, what=what)

    def __repr__(self) -> str:
        return f"WebhookChannel({self._what})"

    def send(self, notification: Notification) -> None:
        """Post it; receivers drop a double by ``webhook-id``."""
        told = as_json(notification)
        body = json.dumps({"type": f"alert.{notification.kind}", "timestamp": notification.at, "data": told})
        at = str(int(self._now()))
        content = body.encode()
        headers = {
            "webhook-id": notification.id,
            "webhook-timestamp": at,
            "webhook-signature": signatures(self._keys, notification.id, at, content),
        }
        post(self._endpoint, self._what, headers, content)

    def close(self) -> None:
        """Nothing is held."""


def signatures(keys: Sequence[bytes], name: str, at: str, body: bytes) -> str:
    """The value of ``webhook-signature``: a signature by each key, separated by blanks."""
    signed = b"%s.%s.%s" % (name.encode(), at.encode(), body)
    return " ".join("v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys)


def _key(secret: str, what: str) -> bytes:
    wrong = ConfigurationError(
        f"{what}: expected as a webhook's secret {_PREFIX} and 24 to 64 bytes in base64, for example "
        '"whsec_$(openssl rand -base64 32)"'
    )
    if not secret.startswith(_PREFIX):
        raise wrong
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise wrong from None
    if not _KEY_BYTES[0] <= len(key) <= _KEY_BYTES[1]:
        raise wrong
    return key
