"""Column types that mean the same on every database, for an application's tables and revisions.

``Key(size)`` is exact text for keys, ``BinaryKey(size)`` the same for bytes; ``Id()`` grows, ``Blob()`` has no limit,
``Micros()`` is an instant or a span in microseconds. ``Table(…, **TABLE_OPTIONS)`` is InnoDB in utf8mb4, compared byte
by byte, whatever the server's defaults.
"""

from __future__ import annotations

from .._sql.types import TABLE_OPTIONS, BinaryKey, Blob, Id, Key, Micros

__all__ = ["TABLE_OPTIONS", "BinaryKey", "Blob", "Id", "Key", "Micros"]
