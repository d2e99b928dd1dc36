"""Something slow to be asked for."""

from __future__ import annotations

from collections import Counter

from tests.docs.given import media, opened
from tests.docs.playing import Page


class VenueNotFound(Exception):
    """There is no such place."""


def play(page: Page) -> None:
    """What is written ends what was kept of it."""
    asked = Counter[str]()

    def load(what: str) -> list[str]:
        asked[what] += 1
        return [what]

    with opened() as stack:
        page.names.update(
            user_id=7,
            media_id=41,
            name="Gala",
            db=stack.database,
            media=media,
            load_page=lambda user_id: load("page"),
            load_rows=lambda user_id: load("rows"),
            load_media=lambda media_id: load("media"),
            VenueNotFound=VenueNotFound,
        )
        shown = page.run(1)
        assert shown["page"] == ["page"]
        page.names["cache"] = stack.cache  # the page's own is closed with its block
        shown = page.run()
        assert (shown["found"], stack.cache.get("rows")) == (["media"], ["rows"])
        stack.cache.invalidate("user:7:media")
        assert stack.cache.get("rows") is None
        assert asked == {"page": 1, "rows": 1, "media": 1}
