"""pm_survey_answers: what users answered to a question."""

from __future__ import annotations

from sqlalchemy import Column, Integer

from postrmagic_core._sql.types import Key, Micros
from postrmagic_core.database.migrations import create_table, drop_table

revision = "0118"
down_revision = "0117"


def upgrade() -> None:
    create_table(
        "pm_survey_answers",
        Column("question", Key(64), primary_key=True),
        Column("who_hash", Key(32), primary_key=True),
        Column("score", Integer(), nullable=False),
        Column("comment", Key(2000), nullable=False),
        Column("created_us", Micros(), nullable=False),
    )


def downgrade() -> None:
    drop_table("pm_survey_answers")
