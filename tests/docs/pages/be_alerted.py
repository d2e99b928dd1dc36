"""What is left in stock; and a webhook, signed as the channel signs it."""

from __future__ import annotations

import base64
import secrets
import time

from postrmagic_core.observability.alerts.channels.webhook import signatures
from tests.docs.playing import Page


def play(page: Page) -> None:
    """The rule reads what the application tells; a notification is genuine as it came, and no other is."""
    page.names["left_in_stock"] = lambda: [("gala", 3), ("fair", 12)]
    shown = page.run()
    assert [(reading.labels["poster"], reading.value) for reading in shown["stock"]()] == [("gala", 3), ("fair", 12)]
    key, now, genuine = secrets.token_bytes(32), int(time.time()), shown["genuine"]
    secret = f"whsec_{base64.b64encode(key).decode()}"

    def headers(at: int) -> dict[str, str]:
        signed = signatures([secrets.token_bytes(32), key], "n-1", str(at), b"{}")
        return {"webhook-id": "n-1", "webhook-timestamp": str(at), "webhook-signature": signed}

    assert genuine(headers(now), b"{}", secret)
    assert not genuine(headers(now), b"{ }", secret)
    assert not genuine(headers(now) | {"webhook-id": "n-2"}, b"{}", secret)
    assert not genuine(headers(now - 400), b"{}", secret)
