"""A store, and something that one process alone may do."""

from __future__ import annotations

from postrmagic_core.stores import open_store
from tests.docs.playing import Page


def play(page: Page) -> None:
    """It is done under a fence."""
    done: list[int] = []
    page.names.update(store=open_store("memory://"), build=lambda fence: done.append(fence))
    page.run()
    assert len(done) == 1
