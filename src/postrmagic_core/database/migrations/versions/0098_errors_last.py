"""pm_errors: an index by which the newest are listed and the oldest go."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index, drop_index

revision = "0098"
down_revision = "0097"


def upgrade() -> None:
    create_index("ix_pm_errors_last", "pm_errors", ["last_us"])


def downgrade() -> None:
    drop_index("ix_pm_errors_last", "pm_errors")
