"""The tables of jobs: each job's row, and where workers can be woken."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, MetaData, Table

from .._sql.types import TABLE_OPTIONS, Blob, Key, Micros

metadata = MetaData()

# due_us: when the row may be claimed next. While the job runs that is the end of its lease; NULL once it has ended.
jobs = Table(
    "pm_jobs",
    metadata,
    Column("id", Key(36), primary_key=True),
    Column("queue", Key(64), nullable=False),
    Column("task", Key(200), nullable=False),
    Column("state", Key(8), nullable=False),
    Column("due_us", Micros()),
    Column("retries", Integer, nullable=False),
    Column("deliveries", Integer, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("lease_owner", Key(36)),
    Column("payload", Blob(), nullable=False),
    Column("result", Blob()),
    Column("reason", Key(16)),
    Column("error", Key(200)),
    Column("fingerprint", Key(16)),
    Column("created_us", Micros(), nullable=False),
    Column("started_us", Micros()),
    Column("ended_us", Micros()),
    Index("ix_pm_jobs_due", "queue", "due_us"),
    Index("ix_pm_jobs_state", "state", "queue", "due_us"),
    **TABLE_OPTIONS,
)

workers = Table(
    "pm_workers",
    metadata,
    Column("id", Key(36), primary_key=True),
    Column("host", Key(255), nullable=False),
    Column("port", Integer, nullable=False),
    Column("seen_us", Micros(), nullable=False),
    **TABLE_OPTIONS,
)
