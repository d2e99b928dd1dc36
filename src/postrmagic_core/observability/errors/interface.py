"""What is known of errors, and what people may say of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from ..._clock import to_us

State: TypeAlias = Literal["new", "ignored", "resolved", "regressed"]


@dataclass(frozen=True, slots=True)
class Change:
    """A group came into ``state``: ``by`` whom, and when. Empty ``by``: the tracker, as the error was seen again.

    ``release``: in which it is resolved, or with which it came back. ``until`` and ``more``: how long it is ignored.
    """

    at: datetime
    by: str
    state: State
    release: str = ""
    until: datetime | None = None
    more: int | None = None


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """Errors of one kind at one place, told apart by ``fingerprint``.

    ``type`` is the exception's, empty for what was logged without one; ``place`` the innermost function of the
    application, or the logger. ``resolved_in`` is a release, or empty; ``ignored_until`` an instant, and
    ``ignored_count`` the count beyond which it is new again. ``sample`` is the newest occurrence as it was logged,
    redacted, at most 16 KiB of JSON; a list of groups has none. ``changes`` are the last twenty, the newest last.
    """

    fingerprint: str
    state: State
    count: int
    first_seen_at: datetime
    last_seen_at: datetime
    first_release: str
    last_release: str
    service: str
    logger: str
    type: str
    message: str
    place: str
    resolved_in: str = ""
    ignored_until: datetime | None = None
    ignored_count: int | None = None
    sample: Mapping[str, Any] | None = None
    changes: tuple[Change, ...] = ()

    @property
    def cursor(self) -> str:
        """Where a list goes on after this group: for ``find(after=…)``."""
        return f"{to_us(self.last_seen_at)}:{self.fingerprint}"
