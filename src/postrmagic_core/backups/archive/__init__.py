"""The file that a backup is: compressed, sealed chunks, and an index of what is in them.

``form`` has the bytes, ``index`` the manifest as JSON, ``writer`` and ``reader`` the file, ``pipeline`` their threads.
"""

from __future__ import annotations

from .reader import ArchiveReader, open_archive
from .writer import ArchiveWriter

__all__ = ["ArchiveReader", "ArchiveWriter", "open_archive"]
