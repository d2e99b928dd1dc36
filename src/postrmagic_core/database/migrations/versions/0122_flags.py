"""pm_flags: for whom features are on."""

from __future__ import annotations

from sqlalchemy import Column

from postrmagic_core._sql.types import Blob, Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0122"
down_revision = "0121"


def upgrade() -> None:
    create_table(
        "pm_flags",
        Column("name", Key(64), primary_key=True),
        Column("rule", Blob(), nullable=False),
        Column("changed_us", Micros(), nullable=False),
        Column("changed_by", Key(190)),
    )


def downgrade() -> None:
    drop_table("pm_flags")
