"""What stands in the place of a guard of archives and vaults, to see that their proofs fail without it."""

from __future__ import annotations

import os
from typing import Any


def unbound(*args: object) -> bytes:
    """A chunk that belongs nowhere."""
    return b""


def replacing(directory: Any, part: str, name: str) -> None:
    """Give a file its name, whoever had it."""
    os.rename(part, name, src_dir_fd=directory._number, dst_dir_fd=directory._number)


def as_told(told: Any) -> tuple[str, ...]:
    """Directories are called what the index calls them."""
    return tuple(told)
