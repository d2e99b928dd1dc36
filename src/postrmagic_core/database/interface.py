"""Value objects of the database room."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from .unit import Unit

Isolation: TypeAlias = Literal["default", "serializable"]


@dataclass(frozen=True, slots=True)
class Staged:
    """What a unit wants delivered once it has committed; ``due_us`` 0 means at once."""

    topic: str
    payload: bytes
    key: str | None = None
    due_us: int = 0


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A committed row on its way: ``id`` names the message in every attempt, ``attempts`` counts failed ones."""

    id: int
    topic: str
    key: str | None
    payload: bytes
    created_us: int
    attempts: int


@dataclass(frozen=True, slots=True)
class OutboxCount:
    """How many rows of a topic wait and how many are dead; when the oldest waiting one was staged (UTC)."""

    waiting: int
    dead: int
    oldest_at: datetime | None


RowState: TypeAlias = Literal["waiting", "delayed", "dead"]


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """An outbox row as an operator sees it.

    ``waiting`` is due, ``delayed`` not yet (put off by its unit, or after a failed attempt), ``dead`` is given up;
    ``error`` names the last failure; ``size`` is the payload's, in bytes.
    """

    id: int
    topic: str
    key: str | None
    state: RowState
    created_at: datetime
    due_at: datetime
    attempts: int
    error: str | None
    size: int


Deliver: TypeAlias = "Callable[[Unit, OutboxRow], None]"
