"""pm_once: what has happened and must not happen again."""

from __future__ import annotations

from sqlalchemy import Column

from postrmagic_core._sql.types import Blob, Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    create_table(
        "pm_once",
        Column("id", Key(191), primary_key=True),
        Column("kind", Key(32), nullable=False),
        Column("created_us", Micros(), nullable=False),
        Column("expires_us", Micros(), nullable=False),
        Column("response", Blob()),
    )


def downgrade() -> None:
    drop_table("pm_once")
