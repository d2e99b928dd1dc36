"""What a broker adapter of one's own is made of; docs/how-to/write-a-broker.md shows one.

``BrokerAdapter`` is the Protocol, :mod:`.interface` holds the values it speaks in; ``SqlBroker`` is the shipped adapter
that keeps rows in SQLite, MySQL or MariaDB, to be specialised.
"""

from __future__ import annotations

from .adapters.sql import SqlBroker
from .interface import BrokerAdapter, BrokerOptions, SupportsHandover, SupportsUnits, SupportsUpkeep, Taker

__all__ = [
    "BrokerAdapter",
    "BrokerOptions",
    "SqlBroker",
    "SupportsHandover",
    "SupportsUnits",
    "SupportsUpkeep",
    "Taker",
]
