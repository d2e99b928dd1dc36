"""The lists that are paged through: what they can be sorted and filtered by. Nothing else can be asked for."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from sqlalchemy import exists, select

from postrmagic_core.api.listing import Listing
from postrmagic_core.api.listing.filters import Instant, at_least, less_than, matching, one_of, parameter
from postrmagic_core.validation.rules import Tag

from .tables import blobs, details, media, renditions, tags, users

_HAS_THUMBNAIL = exists().where(renditions.c.digest == media.c.digest)
# A medium as it is shown; its tags, of which there are many or none, come by themselves.
SHOWN = (
    select(
        media,
        *(blobs.c.size, blobs.c.mime, blobs.c.width, blobs.c.height),
        *(details.c.colours, details.c.orientation),
        _HAS_THUMBNAIL.label("thumbnail"),
    )
    .join(blobs, blobs.c.digest == media.c.digest)
    .outerjoin(details, details.c.digest == media.c.digest)
)

MEDIA = Listing(
    "media",
    SHOWN,
    order={"created_at": media.c.created_us, "title": media.c.title, "size": blobs.c.size},
    default="-created_at",
    unique=media.c.id,
    filters={
        "q": parameter(Annotated[str, Field(max_length=500)], "Words that title and file name hold, and tags."),
        "tag": matching(
            Tag, lambda name: exists().where(tags.c.media_id == media.c.id, tags.c.name == name), "A tag they have."
        ),
        "type": one_of(blobs.c.mime, ["image/jpeg", "image/png", "image/webp"], "The type of the file."),
        "orientation": one_of(
            details.c.orientation, ["landscape", "portrait", "square"], "Which way the picture is turned."
        ),
        "uploaded_from": at_least(media.c.created_us, Instant, "Uploaded then or later."),
        "uploaded_before": less_than(media.c.created_us, Instant, "Uploaded before then."),
    },
    size=24,
    max_size=100,
)

ACCOUNTS = Listing(
    "accounts",
    select(users.c.id, users.c.name, users.c.created_us),
    order={"id": users.c.id, "name": users.c.name, "created_at": users.c.created_us},
    default="id",
    unique=users.c.id,
    size=50,
    max_size=200,
)
