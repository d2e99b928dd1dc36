"""pm_jobs: take over the rows that were put aside."""

from __future__ import annotations

from postrmagic_core.database.migrations import copy_rows

revision = "0047"
down_revision = "0046"


# Run again after a kill it finds what it copied. A finished job is kept for a day, as by default.
_COPY = """
INSERT INTO pm_jobs (id, queue, priority, task, state, due_us, retries, deliveries, fence, cancelling, worker,
                     payload, headers, result, reason, error, fingerprint, keep_us, created_us, started_us, ended_us,
                     forget_us)
SELECT id, queue, 1, task,
       CASE state WHEN 'waiting' THEN CASE WHEN deliveries > 0 THEN 'retrying' ELSE 'queued' END
                  WHEN 'done' THEN 'succeeded'
                  WHEN 'dead' THEN CASE reason WHEN 'failed' THEN 'failed' ELSE 'dead' END
                  ELSE state END,
       due_us, retries, deliveries, fence, 0, lease_owner, payload, X'', result, reason, error, fingerprint,
       86400000000, created_us, started_us, ended_us,
       CASE state WHEN 'done' THEN ended_us + 86400000000 END
FROM pm_jobs_before WHERE id NOT IN (SELECT id FROM pm_jobs)
"""


def upgrade() -> None:
    copy_rows(_COPY, "pm_jobs_before")


def downgrade() -> None:
    """Nothing to undo: the table that was copied into goes next."""
