"""pm_survey_answers: an index by which the newest are read and old ones are swept."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0119"
down_revision = "0118"


def upgrade() -> None:
    create_index("ix_pm_survey_answers_created", "pm_survey_answers", ["created_us"])


def downgrade() -> None:
    drop_index("ix_pm_survey_answers_created", "pm_survey_answers")
