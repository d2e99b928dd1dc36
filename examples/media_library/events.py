"""What happens in the library, as others may want to know it."""

from __future__ import annotations

from postrmagic_core.events import Event


class LibraryChanged(Event):
    """Somebody's library has one poster more, or one less."""

    media_id: int
    user_id: int
    digest: str


class PosterUploaded(LibraryChanged):
    """A poster was added to somebody's library."""


class PosterDeleted(LibraryChanged):
    """A poster was removed; ``last`` when nobody else holds the same file."""

    last: bool


class Notable(Event):
    """Something that a user should be told."""

    user_id: int


class PosterReady(Notable):
    """A poster that the user added has its thumbnails."""

    digest: str


class QuotaNearlyUsed(Notable):
    """An upload took the user's files past the mark from which they should know: ``percent`` of the room is used."""

    percent: int


class AccountChanged(Notable):
    """Something happened to an account that its user should know of; ``what`` is as in the audit log."""

    what: str
