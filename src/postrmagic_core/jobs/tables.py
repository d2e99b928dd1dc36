"""The tables of jobs: each job's row, who holds a unique key, the workers, and when schedules come next."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, MetaData, Table

from .._sql.types import TABLE_OPTIONS, Blob, Key, Micros

metadata = MetaData()

# due_us: when the row may be claimed next. While the job runs that is the end of its lease; NULL once it has ended.
# priority: its place in PRIORITIES. forget_us: when an ended row may go; NULL for dead letters, which stay.
jobs = Table(
    "pm_jobs",
    metadata,
    Column("id", Key(36), primary_key=True),
    Column("queue", Key(64), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("task", Key(200), nullable=False),
    Column("state", Key(16), nullable=False),
    Column("due_us", Micros()),
    Column("retries", Integer, nullable=False),
    Column("deliveries", Integer, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("cancelling", Integer, nullable=False),
    Column("worker", Key(36)),
    Column("payload", Blob(), nullable=False),
    Column("headers", Blob(), nullable=False),
    Column("progress", Blob()),
    Column("result", Blob()),
    Column("reason", Key(16)),
    Column("error", Key(200)),
    Column("fingerprint", Key(16)),
    Column("keep_us", Micros(), nullable=False),
    Column("created_us", Micros(), nullable=False),
    Column("started_us", Micros()),
    Column("ended_us", Micros()),
    Column("forget_us", Micros()),
    Index("ix_pm_jobs_due", "queue", "priority", "due_us", "id"),
    Index("ix_pm_jobs_state", "state", "forget_us", "queue"),
    **TABLE_OPTIONS,
)

# Whether the key is held is not written here: the job's own state says it, so that nothing has to be given back.
# until_us is set for a window, which does not depend on the job.
keys = Table(
    "pm_job_keys",
    metadata,
    Column("name", Key(200), primary_key=True),
    Column("job_id", Key(36), nullable=False),
    Column("scope", Key(16), nullable=False),
    Column("until_us", Micros()),
    Index("ix_pm_job_keys_job", "job_id"),
    **TABLE_OPTIONS,
)

# port: where a datagram wakes the worker, on its own host; NULL where its broker wakes it.
workers = Table(
    "pm_workers",
    metadata,
    Column("id", Key(36), primary_key=True),
    Column("host", Key(255), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("port", Integer),
    Column("queues", Key(2000), nullable=False),
    Column("threads", Integer, nullable=False),
    Column("running", Integer, nullable=False),
    Column("rss", Micros(), nullable=False),
    Column("started_us", Micros(), nullable=False),
    Column("seen_us", Micros(), nullable=False),
    **TABLE_OPTIONS,
)

# next_us: the tick that is fired next; whoever moves it on has fired it. zone: empty for an interval.
schedules = Table(
    "pm_schedules",
    metadata,
    Column("name", Key(200), primary_key=True),
    Column("spec", Key(255), nullable=False),
    Column("zone", Key(100), nullable=False),
    Column("next_us", Micros(), nullable=False),
    Column("last_us", Micros()),
    Column("last_job", Key(36)),
    Column("paused", Integer, nullable=False),
    **TABLE_OPTIONS,
)
