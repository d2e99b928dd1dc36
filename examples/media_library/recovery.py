"""Whether a library that was restored for a trial is whole."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from sqlalchemy import select

from postrmagic_core.database import DatabaseManager

from .storage import place_of
from .tables import blobs, renditions


def every_row_has_its_file(database: DatabaseManager, directories: Mapping[str, Path]) -> list[str]:
    """What is missing or another content, of files that rows name; nothing where no files were restored."""
    return list(_faults(database, directories)) if directories else []


def _faults(database: DatabaseManager, directories: Mapping[str, Path]) -> Iterator[str]:
    for row in database.rows(select(blobs.c.digest, blobs.c.size)):
        path = directories["blobs"] / place_of(row.digest)
        if not path.is_file() or path.stat().st_size != row.size or _sha256(path) != row.digest:
            yield f"the file {row.digest} is missing, or another content"
    for row in database.rows(select(renditions)):
        path = directories["renditions"] / place_of(f"{row.digest}.{row.format}")
        if not path.is_file() or path.stat().st_size != row.size:
            yield f"the rendition {row.digest}.{row.format} is missing, or of another size"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
