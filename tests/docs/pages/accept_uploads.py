"""Directories, a picture that is sent, and something that scans it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

from PIL import Image

from tests.docs.playing import Page


def play(page: Page) -> None:
    """The picture is kept under its digest, once."""
    for name in ("uploads", "media"):
        Path(name).mkdir()
    picture = BytesIO()
    Image.new("RGB", (64, 48)).save(picture, "PNG")
    picture.seek(0)

    async def stream() -> AsyncIterator[bytes]:
        yield picture.getvalue()

    page.names.update(
        uploads_directory=Path("uploads"),
        media_directory=Path("media"),
        directory=Path("uploads"),
        stream=picture,
        client_filename="gala.png",
        request=SimpleNamespace(stream=stream),
        scanner=SimpleNamespace(is_clean=lambda path: path.exists()),
    )
    shown = page.run()
    assert len(list(Path("media").iterdir())) == 1
    assert not list(Path("uploads").iterdir())
    assert (shown["image"].mime, shown["image"].width) == ("image/png", 64)
    assert shown["scan"](Path("media"))
