"""pm_job_keys: who holds a unique key."""

from __future__ import annotations

from sqlalchemy import Column

from postrmagic_core._sql.types import Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0049"
down_revision = "0048"


def upgrade() -> None:
    create_table(
        "pm_job_keys",
        Column("name", Key(200), primary_key=True),
        Column("job_id", Key(36), nullable=False),
        Column("scope", Key(16), nullable=False),
        Column("until_us", Micros()),
    )


def downgrade() -> None:
    drop_table("pm_job_keys")
