"""What is known of alerts, what is told of them, and what a channel is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol, TypeAlias

Severity: TypeAlias = Literal["info", "warning", "critical"]
State: TypeAlias = Literal["pending", "firing", "resolved"]
Became: TypeAlias = Literal["firing", "resolved", "acknowledged"]
Kind: TypeAlias = Literal["firing", "resolved", "repeat", "undelivered", "test"]


@dataclass(frozen=True, slots=True)
class Reading:
    """A value that a source gives now, for what its ``labels`` name; ``None`` and NaN are no value."""

    labels: Mapping[str, str]
    value: float | None


Source: TypeAlias = Callable[[], Iterable[Reading]]
"""What a rule is about: called at each evaluation. What it raises is no reading at all: every state stays."""


@dataclass(frozen=True, slots=True)
class Alert:
    """What a rule finds at the place that its ``labels`` name; ``id`` is made of both, and stays the same.

    ``pending``: the rule is broken, but not for long enough; ``firing``; ``resolved``: it was. ``began_at`` is when the
    rule was broken first, ``since`` when the state began, ``seen_at`` when there was a reading last. ``channels`` have
    been told. ``flapping``: it fired again and again, and now has to be well for longer before it is resolved.
    """

    id: str
    rule: str
    labels: Mapping[str, str]
    severity: Severity
    state: State
    value: float | None
    summary: str
    runbook: str
    began_at: datetime
    since: datetime
    seen_at: datetime
    told_at: datetime | None = None
    channels: tuple[str, ...] = ()
    acknowledged_by: str = ""
    acknowledged_at: datetime | None = None
    silenced: bool = False
    flapping: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """An alert fired, was resolved or was acknowledged; ``by`` whom, empty where a rule found it so.

    ``cursor`` is for ``history(after=…)``.
    """

    cursor: str
    at: datetime
    alert: str
    rule: str
    labels: Mapping[str, str]
    severity: Severity
    became: Became
    value: float | None
    summary: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class Silence:
    """Until then nobody is told of alerts of ``rule`` (empty: of any) that have all of ``labels``."""

    id: str
    rule: str
    labels: Mapping[str, str]
    until: datetime
    created_at: datetime
    by: str = ""
    comment: str = ""

    def covers(self, rule: str, labels: Mapping[str, str]) -> bool:
        """Whether it is about such an alert."""
        return self.rule in ("", rule) and all(labels.get(name) == value for name, value in self.labels.items())


@dataclass(frozen=True, slots=True)
class Told:
    """An alert, as a notification tells of it; ``began_at`` and ``at`` in ISO 8601."""

    id: str
    labels: Mapping[str, str]
    value: float | None
    summary: str
    began_at: str
    at: str
    flapping: bool = False


@dataclass(frozen=True, slots=True)
class Notification:
    """What a channel is to tell: alerts of one rule and severity that came together.

    ``id`` is the same in each try, so that receivers can drop a double; ``thread`` is the same for all that is told of
    a rule. ``title`` is one line. ``kind`` ``undelivered``: another channel refused for good what ``alerts`` tell, for
    the reason in ``note``; ``test``: somebody tries the channel.
    """

    id: str
    thread: str
    kind: Kind
    rule: str
    severity: Severity
    title: str
    at: str
    alerts: tuple[Told, ...] = ()
    runbook: str = ""
    note: str = ""
    service: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain values, by their names; :func:`.told.from_json` reads them again."""
        from .told import as_json

        return as_json(self)


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A notification that a channel refused for good, or for three days: ``error`` says why. It is kept for 30 days."""

    id: str
    channel: str
    created_at: datetime
    attempts: int
    error: str
    title: str


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What one evaluation came to: how many rules were ``judged``, and of which no source could be read."""

    judged: int
    failed: tuple[str, ...] = ()
    fired: int = 0
    resolved: int = 0
    told: int = 0
    skipped: bool = False


class AlertChannel(Protocol):
    """Where notifications go. One thread at a time calls it, and waits for it.

    It must not log what it was given for a URL or a secret, nor put it into an error.
    """

    def send(self, notification: Notification) -> None:
        """Tell it, within some 15 seconds; returns once the receiver has it.

        :class:`~postrmagic_core.errors.BackendRejected`: the receiver refuses for good, and is not asked again.
        Any other :class:`~postrmagic_core.errors.BackendError`, and :class:`OSError`, is tried again for three days,
        with the same ``id``; anything else twelve times. Messages of the package's errors are shown to operators.
        """
        ...

    def close(self) -> None:
        """Release what it holds; again without effect."""
        ...
