"""The table of backups: what was begun, taken and tried, and which backup is under way."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, MetaData, Table

from .._sql.types import TABLE_OPTIONS, Blob, Key, Micros

metadata = MetaData()

# One row a backup or drill. While a backup is under way `ended_us` is missing and `until_us` ahead, renewed again and
# again: who removes files asks for such a row, and leaves them where they are.
runs = Table(
    "pm_backup_runs",
    metadata,
    Column("id", Key(36), primary_key=True),
    Column("kind", Key(16), nullable=False),
    Column("began_us", Micros(), nullable=False),
    Column("until_us", Micros(), nullable=False),
    Column("ended_us", Micros()),
    Column("outcome", Key(16)),
    Column("backup", Key(128)),
    Column("size", BigInteger()),
    Column("detail", Blob(), nullable=False),
    Index("ix_pm_backup_runs_began", "kind", "began_us"),
    **TABLE_OPTIONS,
)
