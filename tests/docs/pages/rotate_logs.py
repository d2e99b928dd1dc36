"""A directory for logs."""

from __future__ import annotations

from pathlib import Path

from tests.docs.playing import Page


def play(page: Page) -> None:
    """The file is there."""
    page.instead["/var/log/media/app.log"] = str(Path("app.log").absolute())
    page.run()["handle"].close()
    assert Path("app.log").exists()
