"""Units: what is refused at once, and what other rooms see."""

from __future__ import annotations

import pytest

from postrmagic_core._protocols import UnitLike, Units
from postrmagic_core.database import DatabaseManager


@pytest.mark.parametrize(("topic", "key"), [("", None), ("t" * 65, None), ("t", ""), ("t", "ä" * 128)])
def test_a_topic_or_key_that_does_not_fit_is_refused_at_once(
    database: DatabaseManager, topic: str, key: str | None
) -> None:
    """Not at the commit, where the cause is hard to see."""
    with database.write() as tx, pytest.raises(ValueError, match="bytes"):
        tx.stage(topic, b"", key=key)


def test_the_room_meets_its_siblings_protocols(database: DatabaseManager) -> None:
    """Cache, jobs and events see the database as Units and its units as UnitLike: checked here by the type checkers."""
    units: Units = database
    with units.write() as tx:
        unit: UnitLike = tx
        assert units.current() is unit
        assert unit.database_id == units.database_id
