"""A Stack, and a site on this machine."""

from __future__ import annotations

from tests.docs.given import opened
from tests.docs.playing import Page


def play(page: Page) -> None:
    """Nobody answers there, which the status tells."""
    page.instead["https://media.example.org/healthz"] = "https://127.0.0.1:1/healthz"
    with opened() as stack:
        page.names["stack"] = stack
        assert page.run()["status"].name == "site"
