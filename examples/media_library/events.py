"""What happens in the library, as others may want to know it."""

from __future__ import annotations

from postrmagic_core.events import Event


class PosterUploaded(Event):
    """A poster was added to somebody's library."""

    media_id: int
    user_id: int
    digest: str


class PosterDeleted(Event):
    """A poster was removed; ``last`` when nobody else holds the same file."""

    media_id: int
    user_id: int
    digest: str
    last: bool
