"""Decisions of alerts: what a reading does to a state. Times are microseconds since the epoch."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from .interface import Severity, State
from .rules import Absence, RateOfChange, Rule, Threshold

Verdict: TypeAlias = Literal["broken", "between", "well"]
Samples: TypeAlias = Sequence[tuple[int, float]]
Labelled: TypeAlias = tuple[Mapping[str, str], float | None]

SECOND: Final = 1_000_000
DAY: Final = 86_400 * SECOND
_HOUR: Final = 3600 * SECOND
# An alert that fired so often within an hour has to be well for so long before it is resolved.
FLAPS: Final = 3
CALM: Final = 900 * SECOND
# Readings of a rate of change that are kept, spread over its time.
_SAMPLES: Final = 30
_VALUE_BYTES: Final = 200
_FIELD = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Held:
    """An alert as it is stored.

    ``clear_us``: since when its rule is well again. ``fired``: when it fired within the last hour, before this time
    too. ``told_us`` and ``told``: when and which channels were told that it fires; ``over``: also that it is resolved.
    """

    id: str
    rule: str
    labels: Mapping[str, str]
    severity: Severity
    state: State
    value: float | None
    summary: str
    runbook: str
    began_us: int
    since_us: int
    seen_us: int
    clear_us: int | None = None
    fired: tuple[int, ...] = ()
    told_us: int | None = None
    told: tuple[str, ...] = ()
    over: bool = False
    ack_by: str = ""
    ack_us: int | None = None

    def flapping(self, now_us: int) -> bool:
        """Whether it fired again and again within the last hour."""
        return sum(at > now_us - _HOUR for at in self.fired) >= FLAPS


def identity(rule: str, labels: Mapping[str, str]) -> str:
    """Names the alert of a rule and labels: 32 hexadecimal digits."""
    told = json.dumps([rule, sorted(labels.items())], ensure_ascii=True)
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def known(value: float | None) -> float | None:
    """The value, if it is one."""
    return None if value is None or not math.isfinite(value) else float(value)


def sampled(rule: RateOfChange, samples: Samples, value: float, now_us: int) -> list[tuple[int, float]]:
    """The readings that a rate of change needs from now on, with this one; a few dozen, whatever time passes between.

    Those of a clock that was ahead are forgotten.
    """
    span = round(rule.within * SECOND)
    kept = [(at, was) for at, was in samples if now_us - 2 * span <= at <= now_us]
    if not kept or now_us - kept[-1][0] >= span // _SAMPLES:
        kept.append((now_us, value))
    return kept


def change(rule: RateOfChange, samples: Samples, value: float, now_us: int) -> float | None:
    """By how much the value differs from the newest reading that is old enough; ``None``: there is none."""
    span = round(rule.within * SECOND)
    old = [was for at, was in samples if now_us - 2 * span <= at <= now_us - span]
    if not old:
        return None
    if not rule.share:
        return known(value - old[-1])
    # Infinite beside what was nearly nothing: no JSON has that.
    return known((value - old[-1]) / abs(old[-1])) if old[-1] else None


def verdict(rule: Rule, value: float) -> Verdict:
    """What a value means to a rule; of a rate of change it is the change, of an absence 1 where nothing comes."""
    if isinstance(rule, Threshold):
        return _threshold(rule, value)
    if isinstance(rule, RateOfChange):
        return "broken" if (value > rule.by if rule.by >= 0 else value < rule.by) else "well"
    return "broken" if value else "well"


def _threshold(rule: Threshold, value: float) -> Verdict:
    if rule.above is not None:
        if value > rule.above:
            return "broken"
        return "well" if rule.clear_below is None or value <= rule.clear_below else "between"
    if rule.below is not None and value < rule.below:
        return "broken"
    return "well" if rule.clear_above is None or value >= rule.clear_above else "between"


def step(rule: Rule, labels: Mapping[str, str], value: float | None, held: Held | None, now_us: int) -> Held | None:
    """The state of one alert after a reading; ``None``: there is nothing to keep. Without a value all stays.

    A clock that was set back prolongs a state at most, and never ends one too early.
    """
    if value is None:
        return held
    judged = verdict(rule, value)
    if held is None or held.state == "resolved":
        return _begun(rule, labels, value, held, now_us) if judged == "broken" else held
    seen = replace(
        held,
        value=value,
        seen_us=now_us,
        severity=rule.severity,
        summary=summary(rule, labels, value),
        runbook=rule.runbook,
    )
    if held.state == "pending":
        return _pending(rule, seen, judged, now_us)
    if judged != "well":
        return replace(seen, clear_us=None)
    # What a clock that was ahead has noted counts from now: else it would count from when that has come.
    clear_us = now_us if held.clear_us is None else min(held.clear_us, now_us)
    wanted = round(rule.clear_for * SECOND)
    if held.flapping(now_us):
        wanted = max(wanted, CALM)
    if now_us - clear_us < wanted:
        return replace(seen, clear_us=clear_us)
    return replace(seen, state="resolved", since_us=now_us, clear_us=None)


def _begun(rule: Rule, labels: Mapping[str, str], value: float, before: Held | None, now_us: int) -> Held:
    """A rule that is broken for the first time, or again."""
    begun = Held(
        id=identity(rule.name, labels),
        rule=rule.name,
        labels=labels,
        severity=rule.severity,
        state="pending",
        value=value,
        summary=summary(rule, labels, value),
        runbook=rule.runbook,
        began_us=now_us,
        since_us=now_us,
        seen_us=now_us,
        fired=() if before is None else before.fired,
        # That it fires was told, and not yet that it is over.
        told=() if before is None or before.over else before.told,
    )
    return begun if rule.for_ else _fires(begun, now_us)


def _pending(rule: Rule, seen: Held, judged: Verdict, now_us: int) -> Held | None:
    if judged != "broken":
        # That it fired is remembered while it tells whether the next time is one of many.
        recent = seen.told or any(at > now_us - _HOUR for at in seen.fired)
        return replace(seen, state="resolved", over=not seen.told, since_us=now_us) if recent else None
    seen = replace(seen, since_us=min(seen.since_us, now_us))
    return _fires(seen, now_us) if now_us - seen.since_us >= rule.for_ * SECOND else seen


def _fires(held: Held, now_us: int) -> Held:
    fired = tuple(at for at in held.fired if now_us - _HOUR < at <= now_us)[-2 * FLAPS :]
    return replace(held, state="firing", since_us=now_us, fired=(*fired, now_us))


def forgotten(held: Held, now_us: int) -> Held:
    """An alert of which there was no reading for a day, as its rule or what it was about is no more: resolved."""
    if held.state == "resolved" or now_us - held.seen_us < DAY:
        return held
    gone = "nothing is known of it for a day"
    return replace(held, state="resolved", since_us=now_us, clear_us=None, summary=gone, over=not held.told)


def readings(rule: Rule, found: Sequence[Labelled], active: Sequence[Held]) -> list[Labelled]:
    """What a rule is to judge, its own labels with those of the readings; what a complete source leaves out is 0."""
    if isinstance(rule, Absence):
        comes = any(known(value) for _, value in found)
        return [(dict(rule.labels), 0.0 if comes else 1.0)]
    told: list[Labelled] = [({**rule.labels, **labels}, known(value)) for labels, value in found]
    if rule.complete:
        named = {identity(rule.name, labels) for labels, _ in told}
        told += [(dict(held.labels), 0.0) for held in active if held.id not in named]
    return told


def summary(rule: Rule, labels: Mapping[str, str], value: float | None) -> str:
    """The rule's sentence in one line with its blanks filled in; the rule's name where it has none."""

    def filled(blank: re.Match[str]) -> str:
        if blank[1] == "value":
            return "?" if value is None else _number(value)
        return line(labels[blank[1]], _VALUE_BYTES) if blank[1] in labels else blank[0]

    return line(_FIELD.sub(filled, rule.summary or rule.name), 1000)


def _number(value: float) -> str:
    # Seconds and bytes are read more easily whole.
    return f"{value:.0f}" if 10_000 <= abs(value) < 1e15 else f"{value:.4g}"


def line(text: object, size: int) -> str:
    """Text in one line of at most ``size`` characters: what would end a line, or is not shown, becomes a blank."""
    told = "".join(letter if letter.isprintable() else " " for letter in str(text)[: size + 1])
    return told if len(told) <= size else told[: size - 1] + "…"


def seen(held: Held, now_us: int) -> Held:
    """The same, as of now."""
    return replace(held, seen_us=now_us)
