"""Writes to a file by its descriptor."""

from __future__ import annotations

import os


def write_all(file: int, data: bytes) -> None:
    """Write all of ``data``: the system may take less at once, as before a disk is full."""
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]
