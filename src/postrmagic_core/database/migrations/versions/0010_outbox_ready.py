"""pm_outbox: find what is ready."""

from __future__ import annotations

from postrmagic_core.database.migrations import create_index

revision = "0010"
down_revision = "0001"


def upgrade() -> None:
    create_index("ix_pm_outbox_ready", "pm_outbox", ["okey", "dead", "due_us"])
