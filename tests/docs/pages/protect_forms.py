"""A Stack, and keys."""

from __future__ import annotations

from tests.docs.given import opened
from tests.docs.playing import Page


def play(page: Page) -> None:
    """The pipeline stands."""
    with opened() as stack:
        page.names.update(stack=stack, keys=stack.settings.key_ring())
        assert list(page.run()["pipeline"].names) == ["errors", "sessions", "csrf"]
