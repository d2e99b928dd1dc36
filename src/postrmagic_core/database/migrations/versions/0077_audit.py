"""pm_audit: what was refused, and who changed what others may do."""

from __future__ import annotations

from sqlalchemy import Column

from postrmagic_core._sql.types import Blob, Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0077"
down_revision = "0076"


def upgrade() -> None:
    create_table(
        "pm_audit",
        Column("id", Key(36), primary_key=True),
        Column("at_us", Micros(), nullable=False),
        Column("actor", Key(190)),
        Column("action", Key(64), nullable=False),
        Column("subject", Key(190)),
        Column("outcome", Key(16), nullable=False),
        Column("detail", Blob(), nullable=False),
    )


def downgrade() -> None:
    drop_table("pm_audit")
