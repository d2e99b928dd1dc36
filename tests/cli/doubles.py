"""What takes the place of the jobs' guards in worker processes when faults.toml is tried."""

from __future__ import annotations

from typing import Any

from sqlalchemy import literal, select

from postrmagic_core.jobs.sqltime import now_us
from postrmagic_core.jobs.tables import jobs

c = jobs.c


def only_waiting(queues: tuple[str, ...]) -> Any:
    """What is due, but never the jobs of a worker that vanished."""
    waiting = c.state.in_(["queued", "retrying"])
    return select(c.id, c.queue, literal(0)).where(c.queue.in_(queues), waiting, c.due_us <= now_us()).limit(9)
