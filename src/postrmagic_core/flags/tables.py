"""The table of flags: what was set in the database, in place of what settings say."""

from __future__ import annotations

from sqlalchemy import Column, MetaData, Table

from .._sql.types import TABLE_OPTIONS, Blob, Key, Micros

metadata = MetaData()

# One row a flag; `rule` is JSON.
flags = Table(
    "pm_flags",
    metadata,
    Column("name", Key(64), primary_key=True),
    Column("rule", Blob(), nullable=False),
    Column("changed_us", Micros(), nullable=False),
    Column("changed_by", Key(190)),
    **TABLE_OPTIONS,
)
