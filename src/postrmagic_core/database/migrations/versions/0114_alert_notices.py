"""pm_alert_notices: what is to be told of alerts, a row for each channel, until it is."""

from __future__ import annotations

from sqlalchemy import Column, Integer

from postrmagic_core._sql.types import Blob, Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0114"
down_revision = "0113"


def upgrade() -> None:
    create_table(
        "pm_alert_notices",
        Column("id", Key(64), primary_key=True),
        Column("channel", Key(64), nullable=False),
        Column("created_us", Micros(), nullable=False),
        Column("due_us", Micros(), nullable=False),
        Column("attempts", Integer(), nullable=False),
        Column("dead", Integer(), nullable=False),
        Column("error", Key(190)),
        Column("payload", Blob(), nullable=False),
    )


def downgrade() -> None:
    drop_table("pm_alert_notices")
