"""How fast the outbox's relay forwards what committed, to a route that does nothing."""

from __future__ import annotations

import time

from postrmagic_core.database import DatabaseManager

STAGED_AT_ONCE = 500


def relay_rate(database: DatabaseManager, *, rows: int, keys: int = 0, batch: int = 100) -> float:
    """Rows per second that one relay delivers and deletes; ``database`` is open and has the package's tables.

    ``rows`` are staged first, untimed, without a key or spread over ``keys`` of them.
    """
    _stage(database, rows, keys)
    relay = database.relay({"benchmark": lambda tx, row: None}, batch=batch)
    begin, delivered = time.perf_counter(), 0
    while delivered < rows:
        now = relay.run_once()
        if not now:
            raise RuntimeError(f"the relay stopped after {delivered} of {rows} rows")
        delivered += now
    return rows / (time.perf_counter() - begin)


def _stage(database: DatabaseManager, rows: int, keys: int) -> None:
    for first in range(0, rows, STAGED_AT_ONCE):
        with database.write() as tx:
            for number in range(first, min(rows, first + STAGED_AT_ONCE)):
                tx.stage("benchmark", b"x" * 200, key=f"key:{number % keys}" if keys else None)
