"""Something to make thumbnails with, and a table of posters."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from types import SimpleNamespace

from sqlalchemy import select

from postrmagic_core.database import DatabaseManager
from postrmagic_core.jobs import JobQueue, Unique
from postrmagic_core.jobs.tables import jobs as waiting
from postrmagic_core.testing import until
from tests.docs.given import media, opened
from tests.docs.playing import Page


class NoSuchPoster(Exception):
    """There is none."""


def play(page: Page) -> None:
    """What is enqueued in the unit is done by the page's worker; its last block looks after it."""
    with opened() as stack:
        db, jobs, url = stack.database, stack.jobs, stack.settings.database_url()
        page.names.update(NoSuchPoster=NoSuchPoster, media=media, db=db, jobs=jobs, Unique=Unique, url=url)
        page.names["render"] = lambda media_id: SimpleNamespace(name=f"{media_id}.webp")
        page.names["insert_media"] = lambda tx: tx.execute(media.insert().values(name="Gala")).inserted_primary_key[0]
        page.run(1)
        jobs.include(sys.modules["tasks"])
        page.run(1)
        db.relay({"jobs": jobs.deliver}).run_once()
        page.names.update(
            DatabaseManager=DatabaseManager,
            JobQueue=JobQueue,
            last_month=datetime.now(UTC),
            wait_for_the_end=lambda: until(lambda: db.rows(select(media.c.thumbnail)) == [("1.webp",)], "no thumbnail"),
        )
        page.run(1)
        page.names.update(db=db, jobs=jobs)
        with db.write() as tx:
            tx.execute(waiting.delete())  # a thousand jobs, which a worker would do first
        with jobs.worker(threads=1):
            page.run()
