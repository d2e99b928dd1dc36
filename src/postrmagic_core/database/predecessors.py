"""Older revisions whose code can use the tables as they are: noted by ``db upgrade --compatible``, asked at each start.

While releases are exchanged, and after a roll-back, code starts on a database that a newer release has expanded.
Whether it can live with that was judged when the revisions ran; here it is kept, for as long as the database stays
where it was brought.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from sqlalchemy import Connection, delete, insert, inspect, select

from .tables import schema_predecessors as noted


def note(connection: Connection, history: str, before: Iterable[str], after: Iterable[str], *, excused: bool) -> bool:
    """Note that code of the revisions ``before`` can use the tables at ``after``, and commit.

    So can the code that could use them at ``before``, unless a revision between was ``excused``: a reason speaks for
    the release that runs, not for those before it. ``False`` where the table is not there yet.
    """
    old, new = _named(before), _named(after)
    if not old or old == new:
        return True
    there = inspect(connection).has_table(noted.name)
    if there:
        kept = () if excused else _admitted(connection, history, old)
        connection.execute(delete(noted).where(noted.c.history == history))
        told = json.dumps(sorted({*kept, old} - {new})).encode()
        connection.execute(insert(noted).values(history=history, heads=new.encode(), admitted=told))
    connection.commit()
    return there


def admits(connection: Connection, history: str, found: Iterable[str], heads: Iterable[str]) -> bool:
    """Whether code that ends at ``heads`` can use the tables at the newer revisions ``found``."""
    return inspect(connection).has_table(noted.name) and _named(heads) in _admitted(connection, history, _named(found))


def _admitted(connection: Connection, history: str, at: str) -> frozenset[str]:
    asked = select(noted.c.heads, noted.c.admitted).where(noted.c.history == history)
    row = connection.execute(asked).first()
    return frozenset() if row is None or bytes(row.heads) != at.encode() else frozenset(json.loads(row.admitted))


def _named(revisions: Iterable[str]) -> str:
    return ",".join(sorted(revisions))
