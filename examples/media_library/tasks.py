"""What happens behind the requests: thumbnails, details, figures, notifications, the end of what nobody needs."""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy import insert, select

from postrmagic_core.events import EventContext, on
from postrmagic_core.jobs import JobContext, Unique, cron, every, task
from postrmagic_core.log import get_logger
from postrmagic_core.validation.uploads import render

from .colours import look_at
from .events import LibraryChanged, Notable, PosterDeleted, PosterReady, PosterUploaded
from .library import POLICY, Library, tag_of
from .tables import blobs, details, renditions

log = get_logger("media_library.tasks")

THUMBNAIL_WIDTH = 320
FORMATS: tuple[Literal["WEBP", "JPEG"], ...] = ("WEBP", "JPEG")
# Seconds that a burst of changes has to become one refresh.
SETTLING = 2.0
_PIECE = 500


# In the upload's own transaction, and failing it: who searches right after an upload must find it.
@on(PosterUploaded, phase="before_commit", name="search", on_error="raise")
def index_terms(event: PosterUploaded, ctx: EventContext) -> None:
    """Let the poster be found."""
    library: Any = ctx.services["library"]
    library.index(ctx.tx, event.media_id)


@on(PosterUploaded, phase="durable", name="thumbnails")
def request_thumbnails(event: PosterUploaded, ctx: JobContext) -> None:
    """Have thumbnails and details made: the jobs exist if and only if this delivery is done."""
    with ctx.write() as tx:
        ctx.jobs.enqueue_many([make_thumbnails.call(event.digest), extract_details.call(event.digest)], tx=tx)


@on(LibraryChanged, phase="durable", name="statistics")
def request_statistics(event: LibraryChanged, ctx: JobContext) -> None:
    """Have the user's statistics refreshed soon; while a refresh waits, another one is the same."""
    with ctx.write() as tx:
        ctx.jobs.enqueue(refresh_statistics.call(event.user_id), tx=tx, delay=SETTLING)


@on(Notable, phase="durable", name="notifications")
def notify(event: Notable, ctx: JobContext) -> None:
    """Tell the user: as often as it happened, whatever died meanwhile."""
    with ctx.write() as tx:
        ctx.notifications.add(tx, event)


@on(PosterDeleted, phase="durable", name="files")
def remove_file(event: PosterDeleted, ctx: JobContext) -> None:
    """Remove the file that nobody holds any more."""
    if event.last:
        ctx.library.discard(event.digest)


@task(retries=5, time_limit=60)
def make_thumbnails(ctx: JobContext, digest: str) -> None:
    """Render the thumbnails of one file; the rows and "this job is done" commit together."""
    library: Library = ctx.library
    storage = library.storage
    if not _is_held(ctx, digest):
        return
    original = storage.intact(digest)
    sizes = {}
    for format_ in FORMATS:
        picture = render(original, width=THUMBNAIL_WIDTH, format=format_, policy=POLICY)
        temporary = storage.incoming / f"{ctx.job_id}.{format_}"
        try:
            temporary.write_bytes(picture)
            storage.place(temporary, storage.rendition(digest, format_.lower()))
        finally:
            temporary.unlink(missing_ok=True)
        sizes[format_.lower()] = len(picture)
    with ctx.write() as tx:
        if not library.holds(tx, digest):
            library.remove_file(tx, digest)
            return
        if tx.scalar(select(renditions.c.digest).where(renditions.c.digest == digest)) is None:
            rows = [{"digest": digest, "format": name, "size": size} for name, size in sizes.items()]
            tx.execute(insert(renditions), rows)
            for user_id in library.holders(tx, digest):
                ctx.cache.invalidate(tag_of(user_id), tx=tx)
                ctx.events.emit(PosterReady(user_id=user_id, digest=digest), tx=tx)
    log.info("thumbnails made", digest=digest)


# Behind the thumbnails, which somebody waits for. Not unique until it is done: a file that was deleted and came again
# meanwhile would be taken for the one that the running job found gone.
@task(retries=5, time_limit=60, priority="low", unique=Unique(scope="until_start"))
def extract_details(ctx: JobContext, digest: str) -> None:
    """Look at the picture in one file; the row and "this job is done" commit together."""
    library: Library = ctx.library
    if not _is_held(ctx, digest):
        return
    look = look_at(library.storage.intact(digest), POLICY)
    with ctx.write() as tx:
        if not library.holds(tx, digest):
            return
        if tx.scalar(select(details.c.digest).where(details.c.digest == digest)) is None:
            found = {"colours": " ".join(look.colours), "orientation": look.orientation}
            tx.execute(insert(details).values(digest=digest, **found))
        for user_id in library.holders(tx, digest):
            ctx.cache.invalidate(tag_of(user_id), tx=tx)
            ctx.jobs.enqueue(refresh_statistics.call(user_id), tx=tx, delay=SETTLING)
    log.info("details extracted", digest=digest, colours=len(look.colours))


@task(retries=5, time_limit=60, priority="low", unique=Unique(scope="until_start"))
def extract_missing(ctx: JobContext, after: str = "") -> None:
    """Have details extracted of files that an earlier version took in, a piece at a time in the order of digests."""
    library: Library = ctx.library
    with ctx.write() as tx:
        digests = library.without_details(tx, after, _PIECE)
        ctx.jobs.enqueue_many([extract_details.call(digest) for digest in digests], tx=tx)
        if len(digests) == _PIECE:
            ctx.jobs.enqueue(extract_missing.call(digests[-1]), tx=tx)
    log.info("details requested", files=len(digests))


@task(retries=5, time_limit=60, priority="low", unique=Unique(scope="until_start"))
def refresh_statistics(ctx: JobContext, user_id: int) -> None:
    """Compute what a user's media come to."""
    library: Library = ctx.library
    with ctx.write() as tx:
        library.refresh_statistics(tx, user_id)
    log.info("statistics refreshed", user_id=user_id)


@task(retries=0, time_limit=600, priority="low", unique=Unique())
def remove_abandoned(ctx: JobContext) -> None:
    """Remove the uploads that nobody finished, and what else a crash left."""
    library: Library = ctx.library
    if removed := library.sweep():
        log.info("abandoned files removed", files=removed)


@task(retries=5, time_limit=60, priority="low", unique=Unique(scope="until_start"))
def forget_notifications(ctx: JobContext) -> None:
    """Remove the notifications that have not changed for a long time."""
    with ctx.write() as tx:
        forgotten = ctx.notifications.forget(tx)
    log.info("notifications forgotten", notifications=forgotten)


nightly = cron("17 3 * * *", forget_notifications.call(), name="forget-notifications")
hourly = every(3600, remove_abandoned.call(), name="remove-abandoned")


def _is_held(ctx: JobContext, digest: str) -> bool:
    """Whether anybody holds the file; looked at before the work, and again with its effect."""
    with ctx.read() as unit:
        return unit.scalar(select(blobs.c.digest).where(blobs.c.digest == digest)) is not None
