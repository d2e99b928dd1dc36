"""The tables of observability: errors in groups, how often each came in an hour, and releases."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, MetaData, Table

from .._sql.types import TABLE_OPTIONS, Blob, Key, Micros

metadata = MetaData()

# One row a group. What each occurrence changes (count, last_us, …) and what people change (state, until_us, …) are
# different columns. `words` is what is searched, in lower case; `history` the last changes of state, as JSON.
errors = Table(
    "pm_errors",
    metadata,
    Column("fingerprint", Key(64), primary_key=True),
    Column("service", Key(64), nullable=False),
    Column("logger", Key(190), nullable=False),
    Column("kind", Key(190), nullable=False),
    Column("message", Key(1000), nullable=False),
    Column("place", Key(255), nullable=False),
    Column("words", Key(2000), nullable=False),
    Column("count", BigInteger(), nullable=False),
    Column("first_us", Micros(), nullable=False),
    Column("last_us", Micros(), nullable=False),
    Column("first_release", Key(64), nullable=False),
    Column("last_release", Key(64), nullable=False),
    Column("sample", Blob(), nullable=False),
    Column("state", Key(16), nullable=False),
    Column("changed_us", Micros()),
    Column("changed_by", Key(190)),
    Column("resolved_in", Key(64)),
    Column("until_us", Micros()),
    Column("until_count", BigInteger()),
    Column("history", Blob(), nullable=False),
    Index("ix_pm_errors_last", "last_us"),
    **TABLE_OPTIONS,
)

# How often a group's error came in the hour that began then.
error_counts = Table(
    "pm_error_counts",
    metadata,
    Column("fingerprint", Key(64), primary_key=True),
    Column("hour_us", Micros(), primary_key=True, autoincrement=False),
    Column("count", BigInteger(), nullable=False),
    Index("ix_pm_error_counts_hour", "hour_us"),
    **TABLE_OPTIONS,
)

# A release begins when a process of it is first seen, or when somebody marks it, whichever is first: `since_us`.
releases = Table(
    "pm_releases",
    metadata,
    Column("version", Key(64), primary_key=True),
    Column("since_us", Micros(), nullable=False),
    Column("first_seen_us", Micros()),
    Column("marked_us", Micros()),
    Column("marked_by", Key(190), nullable=False),
    Column("note", Key(1000), nullable=False),
    **TABLE_OPTIONS,
)
