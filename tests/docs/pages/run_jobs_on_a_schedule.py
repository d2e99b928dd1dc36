"""A table of uploads, and an application that includes the tasks."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from postrmagic_core.jobs import Unique
from postrmagic_core.stack import Stack
from postrmagic_core.testing import until
from tests.docs.given import opened, settings, uploads
from tests.docs.playing import Page


def play(page: Page) -> None:
    """The scheduler knows both schedules; the one that is run now was run; the task deletes what is old."""
    with opened() as stack:
        with stack.database.write() as tx:
            tx.execute(uploads.insert().values(created=datetime.now(UTC).replace(tzinfo=None) - timedelta(days=90)))
        page.names.update(uploads=uploads, timedelta=timedelta, Unique=Unique, jobs=stack.jobs)
        page.run(1)
        stack.jobs.include(sys.modules["tasks"])
        page.names["wait_for_the_end"] = lambda: until(lambda: len(stack.jobs.schedules()) == 2, "no schedules")
        page.run(1)
        with stack.jobs.worker(threads=1):
            stack.jobs.run_schedule("expire-uploads").result(timeout=20)
        assert stack.database.rows(select(uploads)) == []
    page.names["stack"] = Stack(settings(jobs={"worker": "embedded"}), configure_logging=False)
    page.names["stack"].include(sys.modules["tasks"])
    page.run()
