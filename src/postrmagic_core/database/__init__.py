"""The database: units that commit all or nothing, and an outbox that forwards what committed.

``DatabaseManager(url)`` gives ``db.read()`` and ``db.write()``; see docs/how-to/write-a-unit.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazily
from .._sql import PoolLimits, Timeouts

if TYPE_CHECKING:
    from .analysis import QueryLogOptions
    from .interface import Deliver, OutboxCount, OutboxRow
    from .manager import DatabaseManager
    from .migrating.interface import Migrations
    from .unit import Unit
else:  # a transfer, which has no use for them, is to have the memory
    __getattr__ = lazily(
        __name__,
        {
            "DatabaseManager": "manager",
            "Deliver": "interface",
            "Migrations": "migrating.interface",
            "OutboxCount": "interface",
            "OutboxRow": "interface",
            "QueryLogOptions": "analysis",
            "Unit": "unit",
        },
    )

__all__ = [
    "DatabaseManager",
    "Deliver",
    "Migrations",
    "OutboxCount",
    "OutboxRow",
    "PoolLimits",
    "QueryLogOptions",
    "Timeouts",
    "Unit",
]
