"""pm_feature_uses: an index by which a span of days is read and old ones are swept."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0117"
down_revision = "0116"


def upgrade() -> None:
    create_index("ix_pm_feature_uses_day", "pm_feature_uses", ["day_us"])


def downgrade() -> None:
    drop_index("ix_pm_feature_uses_day", "pm_feature_uses")
