"""A library of posters, each of whose rows names a file."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from tests.docs.given import media, opened
from tests.docs.playing import Page


def play(page: Page) -> None:
    """What is backed up restores, and the page's check says what is missing."""
    with opened() as stack:
        directory = stack.settings.stack.data_dir / "media"
        directory.mkdir()
        for name in ("gala.png", "fair.png"):
            (directory / name).write_bytes(name.encode())
        page.names.update(stack=stack, media=media, select=select, directory=directory)
        shown = page.run()
        with stack.database.write() as tx:
            tx.execute(media.insert().values(name="gala.png"))
            for name in ("gala.png", "fair.png"):
                shown["discard"](tx, name)
        assert [file.name for file in directory.iterdir()] == ["gala.png"]
        stack.backups.take()
        assert stack.backups.drill().faults == ()
        assert shown["every_poster_has_its_file"](stack.database, {"media": Path("absent")}) == ["gala.png is missing"]
