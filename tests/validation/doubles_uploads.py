"""Doubles that stand in for guards of uploads; see tests/faults.toml."""

from __future__ import annotations

from collections.abc import Callable
from io import FileIO
from typing import Any

from PIL import Image

from postrmagic_core.validation.images import ImageUpload, ReceivedImage


def pour_here(file: FileIO, kind: str, _policy: Any, _question: Any, write: Callable[[bytes], object]) -> Any:
    """Decode an image and write it anew without a process around it."""
    file.seek(0)
    with Image.open(file) as image:
        image.load()
        write(b"made")
        return {"width": image.width, "height": image.height, "size": 4}


def failed_itself(*_: object) -> tuple[int, bytes, bytes]:
    """Take whatever became of a decoder for a trouble of this side."""
    return 1, b"", b""


def clean_unasked(self: ImageUpload, _image: ReceivedImage) -> bool:
    """Take every file for clean."""
    return True
