"""What a database adapter of one's own is made of; docs/how-to/write-a-database-adapter.md shows one.

``Backend`` is the Protocol, ``SqlBackend`` the base that brings pools, ledger, fork and error handling,
``SqliteBackend`` and ``MysqlBackend`` are the shipped adapters, to be specialised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._sql.base import SqlBackend
from .._sql.interface import Backend, PoolLimits, PoolState, Role, Timeouts
from .._sql.sqlite import SqliteBackend

if TYPE_CHECKING:
    from .._sql.mysql import MysqlBackend

__all__ = ["Backend", "MysqlBackend", "PoolLimits", "PoolState", "Role", "SqlBackend", "SqliteBackend", "Timeouts"]


def __getattr__(name: str) -> Any:
    if name == "MysqlBackend":  # it imports the driver
        from .._sql.mysql import MysqlBackend

        return MysqlBackend
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
