"""An application's Stack, who uses it, and since when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from tests.docs.given import opened
from tests.docs.playing import Page


def play(page: Page) -> None:
    """Uses are counted, one of them by an event."""
    with opened() as stack:
        page.names.update(stack=stack, user=SimpleNamespace(id="7"), month_ago=datetime.now(UTC) - timedelta(days=30))
        page.run(2)
        stack.events.emit(page.names["PosterUploaded"](media_id=7, user_id="7"))
        page.run(1)
        stack.observability.experience.flush()
        shown = page.run()
        assert (shown["adoption"].uses, shown["week"].users) == (1, 1)
