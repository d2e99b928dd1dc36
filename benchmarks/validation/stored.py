"""Eight thousand items, each of which names two rows that must be there, on a SQLite file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

from pydantic import Field
from sqlalchemy import Column, Integer, MetaData, Table, insert

from postrmagic_core.database import DatabaseManager
from postrmagic_core.testing import assert_queries
from postrmagic_core.validation import Input, InputLimits, Validator
from postrmagic_core.validation.database_rules import Exists

from .._harness import Bench, Case

ITEMS = 8_000
_COLUMNS = 2
_ANY_NUMBER = 10**9
_metadata = MetaData()
_tags = Table("tags", _metadata, Column("id", Integer, primary_key=True))
_venues = Table("venues", _metadata, Column("id", Integer, primary_key=True))


class Line(Input):
    """One item."""

    tag: Annotated[int, Exists(_tags.c.id)]
    venue: Annotated[int, Exists(_venues.c.id)]


class Order(Input):
    """All of them."""

    lines: Annotated[list[Line], Field(max_length=ITEMS)]


def exists(bench: Bench) -> None:
    """``exists_8000_items_queries`` for each column, and ``exists_8000_items_s``."""
    data = {"lines": [{"tag": number, "venue": ITEMS - number + 1} for number in range(1, ITEMS + 1)]}
    with tempfile.TemporaryDirectory() as folder, DatabaseManager(f"sqlite:///{Path(folder) / 'app.db'}") as database:
        with database.write() as tx:
            _metadata.create_all(tx.connection)
            for table in (_tags, _venues):
                tx.execute(insert(table), [{"id": number} for number in range(1, ITEMS + 1)])
        validator = Validator(Order, database=database, limits=InputLimits(items=4 * ITEMS))
        with assert_queries(database, max=_ANY_NUMBER) as seen:
            validator.validate(data)
        bench.figure("exists_8000_items_queries", len(seen) / _COLUMNS)
        case = Case("8,000 items, two columns", lambda: validator.validate(data))
        found = bench.pair("rows that must be there", [case], rounds=bench.repeats(20, 4))
        bench.figure("exists_8000_items_s", found[case.name].median)
