"""What happens behind the requests: thumbnails, and files nobody holds any more."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import insert, select

from postrmagic_core.events import on
from postrmagic_core.jobs import JobContext, task
from postrmagic_core.validation.uploads import render

from .events import PosterDeleted, PosterUploaded
from .library import POLICY, Library, tag_of
from .tables import blobs, renditions

THUMBNAIL_WIDTH = 320
FORMATS: tuple[Literal["WEBP", "JPEG"], ...] = ("WEBP", "JPEG")


@on(PosterUploaded, phase="durable", name="thumbnails")
def request_thumbnails(event: PosterUploaded, ctx: JobContext) -> None:
    """Have the thumbnails made: the job exists if and only if this delivery is done."""
    with ctx.write() as tx:
        ctx.jobs.enqueue(make_thumbnails.call(event.digest), tx=tx)


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
    with ctx.read() as unit:
        if unit.scalar(select(blobs.c.digest).where(blobs.c.digest == digest)) is None:
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
            storage.remove(digest)
            return
        if tx.scalar(select(renditions.c.digest).where(renditions.c.digest == digest)) is None:
            rows = [{"digest": digest, "format": name, "size": size} for name, size in sizes.items()]
            tx.execute(insert(renditions), rows)
        for user_id in library.holders(tx, digest):
            ctx.cache.invalidate(tag_of(user_id), tx=tx)
