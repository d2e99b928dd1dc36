"""Who is told of what, and when: first, again, and that it is over. Pure; times are microseconds since the epoch."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ..._clock import from_us
from .interface import Kind, Notification, Severity, Silence, Told
from .policy import DAY, SECOND, Held

# After a notification the next one of the same rule and severity waits for so long, to be told together.
TOGETHER: Final = 30 * SECOND
REPEAT: Final = 4 * 3600 * SECOND
# Alerts that one notification tells of by name.
MOST: Final = 20


@dataclass(frozen=True, slots=True)
class Due:
    """Alerts to be told of together, to these channels."""

    kind: Kind
    rule: str
    severity: Severity
    channels: tuple[str, ...]
    alerts: tuple[Held, ...]

    @property
    def gate(self) -> str:
        """Names what waits for each other."""
        return f"{self.kind}:{self.severity}:{self.rule}"


def silenced(held: Held, silences: Collection[Silence]) -> bool:
    """Whether nobody is to be told."""
    return any(silence.covers(held.rule, held.labels) for silence in silences)


def wanted(held: Held, silences: Collection[Silence], now_us: int) -> Kind | None:
    """What is to be told of an alert now, if anything.

    One that is silenced fires unseen, and is told when the silence ends, if it fires still. That it is resolved is told
    where it was told that it fires; of one that is acknowledged nothing is repeated.
    """
    if held.state == "resolved":
        return "resolved" if held.told and not held.over else None
    if held.state != "firing" or silenced(held, silences):
        return None
    if held.told_us is None:
        return "firing"
    # A day ahead: by a clock that was wrong.
    if held.ack_us is None and not -DAY < now_us - held.told_us < REPEAT:
        return "repeat"
    return None


def due(
    alerts: Sequence[Held],
    channels: Mapping[str, tuple[str, ...]],
    silences: Collection[Silence],
    told_us: Mapping[str, int],
    now_us: int,
) -> list[Due]:
    """Everything that is to be told now, together by rule and severity.

    ``channels`` are each rule's; ``told_us`` is when each gate was last used. A group whose gate was used less than
    30 seconds ago waits.
    """
    groups: dict[tuple[Kind, str, Severity, tuple[str, ...]], list[Held]] = {}
    for held in sorted(alerts, key=lambda one: (one.since_us, one.id)):
        kind = wanted(held, silences, now_us)
        if kind is not None:
            to = held.told if kind == "resolved" else channels.get(held.rule, held.told)
            groups.setdefault((kind, held.rule, held.severity, to), []).append(held)
    found = [Due(kind, rule, severity, to, tuple(held)) for (kind, rule, severity, to), held in groups.items()]
    return [one for one in found if not 0 <= now_us - told_us.get(one.gate, -TOGETHER) < TOGETHER]


def told(one: Due, held: Held, now_us: int) -> Held:
    """The alert once ``one`` is staged."""
    if one.kind == "resolved":
        return replace(held, over=True)
    return replace(held, told_us=now_us, told=tuple(sorted({*held.told, *one.channels})))


def notification(one: Due, service: str, now_us: int) -> Notification:
    """What channels are given. Its ``id`` follows from what it tells: whoever makes it makes the same one."""
    marks = ":".join(f"{held.id}/{held.since_us}/{held.told_us}" for held in one.alerts)
    return Notification(
        id=hashlib.sha256(f"{one.gate}:{marks}".encode()).hexdigest()[:32],
        thread=hashlib.sha256(one.rule.encode()).hexdigest()[:16],
        kind=one.kind,
        rule=one.rule,
        severity=one.severity,
        title=_title(one, service),
        at=from_us(now_us).isoformat(),
        alerts=tuple(_told(held, now_us) for held in one.alerts[:MOST]),
        runbook=one.alerts[0].runbook,
        note=f"and {len(one.alerts) - MOST} more" if len(one.alerts) > MOST else "",
        service=service,
    )


def _told(held: Held, now_us: int) -> Told:
    began, since = (from_us(us).isoformat() for us in (held.began_us, held.since_us))
    return Told(held.id, held.labels, held.value, held.summary, began, since, held.flapping(now_us))


def _title(one: Due, service: str) -> str:
    word = {"resolved": "resolved", "repeat": f"still {one.severity}"}.get(one.kind, one.severity)
    many = f" ({len(one.alerts)})" if len(one.alerts) > 1 else ""
    return f"[{word}] {f'{service}: ' if service else ''}{one.rule}{many}"


def acknowledged(held: Held, by: str, now_us: int) -> Held:
    """The alert once somebody looks at it."""
    return replace(held, ack_by=by, ack_us=now_us)
