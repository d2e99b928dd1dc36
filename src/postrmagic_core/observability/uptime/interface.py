"""What is probed, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["internal", "http", "tcp", "tls"]


@dataclass(frozen=True, slots=True)
class Probe:
    """What to look at, each ``every`` seconds, for ``timeout`` seconds at most.

    ``target`` is what may be shown: the URL without user, password, query and options; ``url`` is the whole and is
    shown nowhere. After ``failures`` looks in a row that failed it is down. ``status``: the one that an HTTP answer
    has to have, else any below 400; ``text``: what the first 64 KiB of its body have to contain. ``days``: how many a
    certificate has to last yet, for ``tls``.
    """

    name: str
    kind: Kind
    target: str
    url: str = field(default="", repr=False)
    every: float = 60.0
    timeout: float = 10.0
    failures: int = 2
    status: int | None = None
    text: str = field(default="", repr=False)
    days: float = 14.0


@dataclass(frozen=True, slots=True)
class Check:
    """One look: ``ms`` milliseconds it took, ``error`` in words, empty where all was well."""

    at: datetime
    ms: float
    error: str

    @property
    def ok(self) -> bool:
        """Whether all was well."""
        return not self.error


@dataclass(frozen=True, slots=True)
class Hour:
    """What the looks of an hour came to: for how many seconds it is known how the probe was, and was down.

    ``mean_ms`` and ``most_ms`` of what looks took; ``None`` without one.
    """

    at: datetime
    known: float
    down: float
    checks: int
    failed: int
    mean_ms: float | None
    most_ms: float | None

    @property
    def availability(self) -> float | None:
        """The share of the known time in which it was up; ``None`` where nobody looked."""
        return None if self.known <= 0 else max(0.0, 1 - self.down / self.known)


@dataclass(frozen=True, slots=True)
class Outage:
    """From the first look that failed to the first that did not; ``ended`` is ``None`` while it goes on."""

    probe: str
    began: datetime
    ended: datetime | None
    reason: str

    @property
    def seconds(self) -> float | None:
        """How long it took; ``None`` while it goes on."""
        return None if self.ended is None else (self.ended - self.began).total_seconds()


@dataclass(frozen=True, slots=True)
class ProbeStatus:
    """How a probe stands.

    ``up`` is ``None`` before the first look, and where nobody has looked for long. ``since``: since when it is what it
    was at the last look. ``availability_day`` and ``availability_month`` are shares of the time of which anything is
    known in the last 24 hours and 30 days, in whole hours and the present one; ``known_day`` and ``known_month`` say
    how much that is. ``mean_recovery_seconds``: of the outages that ended within 30 days. ``expires_at``: when the
    certificate does.
    """

    name: str
    kind: Kind
    target: str
    up: bool | None
    since: datetime | None
    last_at: datetime | None
    last_ms: float | None
    last_error: str
    availability_day: float | None
    availability_month: float | None
    known_day: float
    known_month: float
    mean_recovery_seconds: float | None
    expires_at: datetime | None = None
