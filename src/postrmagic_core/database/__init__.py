"""The database: units that commit all or nothing, and an outbox that forwards what committed.

``DatabaseManager(url)`` gives ``db.read()`` and ``db.write()``; see docs/how-to/write-a-unit.md.
"""

from __future__ import annotations

from .._sql import PoolLimits, Timeouts
from .analysis import QueryLogOptions
from .interface import Deliver, OutboxCount, OutboxRow
from .manager import DatabaseManager
from .migrating.interface import Migrations
from .unit import Unit

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
