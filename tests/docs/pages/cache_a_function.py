"""Posters whose making takes long, and a shop."""

from __future__ import annotations

from decimal import Decimal
from logging import Logger

from tests.docs.given import media, opened
from tests.docs.playing import Page


def play(page: Page) -> None:
    """The functions shown can be called; they have no body there, so that they give nothing."""
    with opened() as stack:
        page.names.update(
            stack=stack, db=stack.database, media=media, media_id=7, title="Gala", Poster=str | None, Logger=Logger
        )
        page.names["Decimal"] = Decimal
        page.run(1)
        tagged = page.names["poster"]
        page.run(2)
        page.names["poster"] = tagged  # the one whose tags the page ends
        shown = page.run()
        assert tagged.tags(7) == ("media:7",)
        assert tagged(7) is None
        shop = shown["Shop"]()
        shop.id = 3
        assert shop.price("Gala") is None
        assert shown["Shop"].rate("CHF") is None
