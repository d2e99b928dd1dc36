"""One evaluation: the states of all rules from what their sources gave, in one transaction with what is to be told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import policy, rows, telling
from .delivery import stage
from .interface import Evaluated
from .policy import DAY, SECOND, Held, Labelled
from .rules import RateOfChange, Rule, Threshold

logger = logging.getLogger("postrmagic_core.observability")

UNKNOWN = "alerts cannot be evaluated"
# Alerts of one rule: a source that names more at once is cut off, those first that are known already.
MOST = 100
# Another process's clock may be ahead by as much; more is a clock that is wrong, for which nobody waits.
_SKEW_US = 60 * SECOND


def _no_readings() -> list[Any]:
    return []


_UNKNOWN = Threshold(
    UNKNOWN,
    _no_readings,
    above=0,
    for_=300,
    severity="critical",
    summary="nobody knows whether the rule “{rule}” is broken: what it looks at cannot be read",
)


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule's source gave; ``None``: it failed."""

    rule: Rule
    readings: Sequence[Labelled] | None


class Evaluation:
    """How all rules are judged; ``channels`` says who is told of a rule."""

    def __init__(self, rules: Sequence[Rule], channels: Callable[[Rule], tuple[str, ...]], service: str) -> None:
        self._rules = rules
        self._channels = {rule.name: channels(rule) for rule in (*rules, _UNKNOWN)}
        self._service = service

    def run(self, tx: Any, found: Sequence[Found], now_us: int) -> Evaluated:
        """Judge what was found at ``now_us``; nothing, if another evaluation looked later than that."""
        last = rows.lock_round(tx)
        if 0 < last.at_us - now_us <= _SKEW_US:
            return Evaluated(0, skipped=True)
        before = {one.id: one for one in rows.held(tx)}
        after = self._judged(found, before, last, now_us)
        for name, held in after.items():
            after[name] = policy.forgotten(held, now_us)
        fired, resolved = self._note(tx, before, after, now_us)
        told = self._tell(tx, after, last, now_us)
        changed = [held for name, held in after.items() if held != before.get(name)]
        for held in changed:
            rows.keep(tx, held)
        rows.drop(tx, [name for name in before if name not in after])
        last.at_us = now_us
        # Other processes may have other rules while a release is rolled out; what is a day old is nobody's.
        last.samples = {
            rule: by for rule, by in last.samples.items() if any(now_us - kept[-1][0] < DAY for kept in by.values())
        }
        rows.keep_round(tx, last)
        failed = tuple(one.rule.name for one in found if one.readings is None)
        return Evaluated(len(found), failed, fired, resolved, told)

    def _judged(
        self, found: Sequence[Found], before: Mapping[str, Held], last: rows.Round, now_us: int
    ) -> dict[str, Held]:
        after = dict(before)
        for one in found:
            if one.readings is not None:
                self._judge(one.rule, one.readings, after, last, now_us)
            else:
                _still_known(one.rule, after, now_us)
        unknown: list[Labelled] = [({"rule": one.rule.name}, float(one.readings is None)) for one in found]
        self._judge(_UNKNOWN, unknown, after, last, now_us)
        return after

    def _judge(
        self,
        rule: Rule,
        readings: Sequence[Labelled],
        after: dict[str, Held],
        last: rows.Round,
        now_us: int,
    ) -> None:
        active = [held for held in after.values() if held.rule == rule.name and held.state != "resolved"]
        judged = policy.readings(rule, readings, active)
        samples = last.samples.get(rule.name, {})
        kept: dict[str, policy.Samples] = {}
        for labels, value in _bounded(rule, judged, after):
            name = policy.identity(rule.name, labels)
            if isinstance(rule, RateOfChange) and value is not None:
                known = policy.sampled(rule, samples.get(name, ()), value, now_us)
                kept[name] = known
                judged_by = policy.change(rule, known, value, now_us)
            else:
                judged_by = value
            held = policy.step(rule, labels, judged_by, after.get(name), now_us)
            if held is None:
                after.pop(name, None)
            else:
                after[name] = held
        if isinstance(rule, RateOfChange):
            last.samples[rule.name] = kept

    def _note(self, tx: Any, before: Mapping[str, Held], after: Mapping[str, Held], now_us: int) -> tuple[int, int]:
        """Write down and log what fired and what is resolved; how many of each."""
        fired = resolved = 0
        for name, held in after.items():
            was = before.get(name)
            if held.state == "firing" and (was is None or was.state != "firing" or was.since_us != held.since_us):
                rows.note(tx, held, "firing", now_us)
                fired += 1
            elif held.state == "resolved" and was is not None and was.state == "firing":
                rows.note(tx, held, "resolved", now_us)
                resolved += 1
        return fired, resolved

    def _tell(self, tx: Any, after: dict[str, Held], last: rows.Round, now_us: int) -> int:
        """Stage what is to be told, a row for each channel."""
        silences = rows.silences(tx, now_us)
        last.told = {gate: at for gate, at in last.told.items() if 0 <= now_us - at < telling.TOGETHER}
        staged = 0
        for due in telling.due(list(after.values()), self._channels, silences, last.told, now_us):
            notification = telling.notification(due, self._service, now_us)
            for channel in due.channels:
                stage(tx, notification, channel, now_us)
                staged += 1
            last.told[due.gate] = now_us
            for held in due.alerts:
                after[held.id] = telling.told(due, held, now_us)
        return staged


def _bounded(rule: Rule, judged: Sequence[Labelled], after: Mapping[str, Held]) -> Sequence[Labelled]:
    if len(judged) <= MOST:
        return judged
    logger.warning("an alert rule has too many readings: some are left out", extra={"rule": rule.name})
    known: list[Labelled] = []
    others: list[Labelled] = []
    for one in judged:
        (known if policy.identity(rule.name, one[0]) in after else others).append(one)
    return [*known, *others][: max(MOST, len(known))]


def _still_known(rule: Rule, after: dict[str, Held], now_us: int) -> None:
    """Of a rule that cannot be judged nothing is forgotten."""
    for name, held in after.items():
        if held.rule == rule.name and held.state != "resolved" and now_us - held.seen_us >= DAY // 2:
            after[name] = policy.seen(held, now_us)
