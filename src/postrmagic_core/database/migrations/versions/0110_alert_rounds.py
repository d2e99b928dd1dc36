"""pm_alert_rounds: when the rules were last evaluated, and what that needs to remember."""

from __future__ import annotations

from sqlalchemy import Column

from postrmagic_core._sql.types import Blob, Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0110"
down_revision = "0109"


def upgrade() -> None:
    create_table(
        "pm_alert_rounds",
        Column("name", Key(64), primary_key=True),
        Column("at_us", Micros(), nullable=False),
        Column("data", Blob(), nullable=False),
    )


def downgrade() -> None:
    drop_table("pm_alert_rounds")
