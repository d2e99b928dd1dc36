"""A library of posters whose thumbnails are made by a job."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from postrmagic_core.database import DatabaseManager
from postrmagic_core.events import Event, EventManager
from postrmagic_core.jobs import JobContext, JobQueue, task
from postrmagic_core.testing import until
from tests.docs.given import media, opened, stats
from tests.docs.playing import Page

reloaded: list[str] = []
made: list[int] = []


class SettingsChanged(Event):
    """Somebody changed the settings."""


@task(name="make_thumbnail")
def make_thumbnail(ctx: JobContext, media_id: int) -> None:
    """Make it."""
    made.append(media_id)


def play(page: Page) -> None:
    """Each listener that the page shows hears, in its phase."""
    now = datetime.now(UTC)
    with opened() as stack:
        db, events = stack.database, stack.events
        page.names.update(
            db=db, events=events, stats=stats, make_thumbnail=make_thumbnail, SettingsChanged=SettingsChanged
        )
        page.names.update(settings=SimpleNamespace(reload=lambda: reloaded.append("settings")))
        page.names.update(yesterday=now - timedelta(days=1), last_month=now - timedelta(days=30), poster="gala.png")
        page.names["insert_media"] = lambda tx: tx.execute(media.insert().values(name="Gala")).inserted_primary_key[0]
        with db.write() as tx:
            tx.execute(stats.insert().values(uploads=0))
        page.run(1)
        stack.include(sys.modules["tasks"])
        stack.jobs.include(make_thumbnail)
        page.run(1)
        page.run(2)
        stack.events.include(page.names["reload"], page.names["reload_anyway"])
        assert db.rows(stats.select()) == [(1,)]
        events.emit(SettingsChanged())
        page.run(1)
        db.relay({"events": events.deliver}).run_once()
        page.run(1)
        shown = page.names

        def upload(poster: str) -> None:
            with db.write() as tx:
                events.emit(shown["PosterUploaded"](media_id=7), tx=tx)

        page.names["upload"] = upload
        with db.relay({"events": events.deliver, "jobs": stack.jobs.deliver}), stack.jobs.worker(threads=1):
            page.run(1)
            until(lambda: set(made) == {1, 7}, "a thumbnail was not made")
        assert reloaded
    url = stack.settings.database_url()
    page.names.update(url=url, DatabaseManager=DatabaseManager, JobQueue=JobQueue, EventManager=EventManager, task=task)
    page.run()
