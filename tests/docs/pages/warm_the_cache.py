"""A cache, and what the application calls anyway."""

from __future__ import annotations

from tests.docs.given import opened
from tests.docs.playing import Page


def play(page: Page) -> None:
    """Both warmers fill it."""
    asked: list[object] = []
    with opened() as stack:
        page.names.update(
            cache=stack.cache, active_users=lambda: [7, 8], profile=asked.append, load_front=lambda: "front"
        )
        page.run()
        stack.cache.warm(time_limit=20)
        assert asked == [7, 8]
        assert stack.cache.get("front") == "front"
