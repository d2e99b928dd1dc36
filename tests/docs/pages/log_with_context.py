"""A user, and a thumbnail to be made."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

from postrmagic_core.log import configure
from tests.docs.playing import Page


def play(page: Page) -> None:
    """The events are in the file, with what was bound."""
    file = page.instead["/var/log/media/app.log"] = str(Path("app.log").absolute())
    made: list[int] = []
    page.names.update(user=SimpleNamespace(id="7"), media_id=7, make_thumbnail=made.append)
    page.run(1)
    with configure(level="INFO", file=file, service="media"):  # the page's own is closed with its block
        shown = page.run()
        shown["uploads"].info("seen")
    events = {record["event"]: record for record in map(json.loads, Path(file).read_text().splitlines())}
    assert events["uploaded"]["media_id"] == 7
    assert events["seen"]["user_id"] == "7"
    assert made == [7]
