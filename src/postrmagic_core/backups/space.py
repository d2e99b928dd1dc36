"""Whether a disk has room, asked before it is filled."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..errors import OutOfSpace


def check_room(needed: int, directory: Path) -> None:
    """Raise :class:`OutOfSpace` where ``directory`` has not ``needed`` bytes left."""
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise OutOfSpace(
            f"{needed / 2**20:,.0f} MiB are to be written to {directory}, which has {free / 2**20:,.0f} MiB left: "
            "make room, then run it again"
        )
