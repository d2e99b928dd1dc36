"""pm_jobs: every job's row with its state, its lease, its progress and its end."""

from __future__ import annotations

from sqlalchemy import Column, Integer

from postrmagic_core._sql.types import Blob, Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0044"
down_revision = "0043"


def upgrade() -> None:
    create_table(
        "pm_jobs",
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
    )


def downgrade() -> None:
    drop_table("pm_jobs")
