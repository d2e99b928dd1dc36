"""A Redis that keeps what it acknowledged, and one that may forget it."""

from __future__ import annotations

from postrmagic_core.testing.servers import RedisServer
from tests.docs.playing import Page


def play(page: Page) -> None:
    """The first passes; of the second the findings are a warning."""
    with RedisServer(appendonly="everysec") as durable:
        page.instead["redis://queue.internal/0"] = durable.url
        page.instead["redis://cache.internal/0"] = page.urls["redis"]
        page.run()
