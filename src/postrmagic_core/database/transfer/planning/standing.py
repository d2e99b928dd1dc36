"""Whether a table that stands in the target with rows holds those of the source, so that none has to be moved."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from ....errors import PlanRefused, RowRefused
from ..copying.batches import Reading
from ..interface import Server, TablePlan
from ..verifying.differing import Difference, compare
from ..verifying.digest import Hashed

if TYPE_CHECKING:
    from ..session import Session

# More rows are not compared, nor more bytes of them: what migrations write of themselves is a few.
ROWS, _BYTES = 1000, 4 << 20
_MANY = "the table in the target holds rows, too many to be compared"


def unlike(connection: sqlite3.Connection, session: Session, table: TablePlan, server: Server) -> str:
    """Why the rows of ``table`` on both sides cannot be taken for the same; empty where each of them is."""
    try:
        hashed, reading = Hashed(table, table.moved, server), Reading(table)
        with closing(reading.batches(connection, after=None, rows=ROWS + 1, size=_BYTES)) as batches:
            batch, more = next(batches, None), next(batches, None)
    except (PlanRefused, RowRefused):
        connection.text_factory = str  # texts that are none were read as bytes
        return "the table in the target holds rows, and they cannot be compared with those of the source"
    if more is not None or (batch is not None and len(batch) > ROWS):
        return _MANY
    query, _ = hashed.rows_query(None, None)
    stored = session.rows(f"{query} LIMIT {ROWS + 1}")
    if len(stored) > ROWS:
        return _MANY
    found = next(compare(hashed, batch, stored), None)
    return f"the table in the target holds rows, and not those of the source: {_told(found[0])}" if found else ""


def _told(difference: Difference) -> str:
    row = f"the row {difference.key}"
    if difference.kind == "changed":
        return f"{row} has {difference.target} in {difference.column}, and {difference.source} in the source"
    return f"{row} is only in the {'source' if difference.kind == 'missing' else 'target'}"
