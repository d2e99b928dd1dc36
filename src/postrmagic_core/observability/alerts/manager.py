"""Alerts: rules evaluated, what they found kept and told; the sync face."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Protocol

from ..._bridge import Bridge
from ..._clock import Clock, SystemClock, from_us, to_us
from ..._ids import uuid7
from ..._lifecycle import Lifecycle
from ..._metrics import Metrics
from ..._protocols import StagedRow, UnitLike, Units
from ..._unit import in_own_unit
from ...errors import ConfigurationError
from . import policy, rows, telling
from .delivery import TOPIC, Sender, why
from .evaluation import UNKNOWN, Evaluation, Found
from .interface import Alert, AlertChannel, Change, Evaluated, Notification, Silence, State, Undelivered
from .policy import DAY, Held
from .rules import Rule
from .sources import Sources

if TYPE_CHECKING:
    from .aio import AsyncAlerts

_log = logging.getLogger("postrmagic_core.observability")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,31}").fullmatch
# Ids of alerts, and of silences; the database takes no longer ones.
_ID = re.compile(r"[0-9a-f]{32}").fullmatch
_SILENCE = re.compile(r"[0-9a-f-]{36}").fullmatch
_KEEP_US = 90 * DAY
_KEEP_RESOLVED_US = 7 * DAY
_BATCH = 500
_SWEEP_EVERY = 3600.0
# A relay forwards what it can within milliseconds; whatever is left after so many is the next evaluation's.
_ROUNDS = 100


class Relays(Protocol):
    """What forwards rows of the outbox once, without a thread."""

    def run_once(self) -> int:
        """Deliver what is ready."""
        ...


class Database(Units, Protocol):
    """The application's database, with its outbox."""

    def relay(self, routes: Mapping[str, Callable[[Any, Any], None]], /) -> Relays:
        """What forwards rows of these topics."""
        ...


class Alerts(Lifecycle):
    """The alerts of an application, in ``pm_alerts``.

    ``database`` is borrowed, and so is ``bridge``, on which :attr:`aio` runs; without one it has its own.
    :meth:`evaluate` is to be called every 15 seconds or so, by one process or by several. Open, it tells what is due in
    a thread; ``channels`` are closed with it. Rules of one name, of a source that is not there, or for a channel that
    is not there raise :class:`ConfigurationError`.
    """

    def __init__(
        self,
        database: Database,
        *,
        rules: Sequence[Rule] = (),
        sources: Sources | None = None,
        channels: Mapping[str, AlertChannel] | None = None,
        service: str = "",
        clock: Clock | None = None,
        metrics: Metrics | None = None,
        bridge: Bridge | None = None,
    ) -> None:
        super().__init__()
        self._rules = tuple(rules)
        self.channels = dict(channels or {})
        self._sources = sources or Sources()
        self._check()
        self._database = database
        self._service = service
        self._clock = clock or SystemClock()
        self._metrics = metrics or Metrics()
        self.bridge = bridge or Bridge(2, name="postrmagic-alerts-read")
        self._borrowed = bridge is not None
        self._sweeping = threading.Lock()
        self._swept: float | None = None
        self._sender = Sender(database, self.channels, clock=self._clock, metrics=self._metrics)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """What is watched."""
        return self._rules

    @cached_property
    def _relay(self) -> Relays:
        return self._database.relay({TOPIC: self.deliver})

    @cached_property
    def aio(self) -> AsyncAlerts:
        """The same alerts for asyncio, with the same names."""
        from .aio import AsyncAlerts

        return AsyncAlerts(self)

    def evaluate(self) -> Evaluated:
        """Read all sources, judge every rule, keep the states, and have told what is to be told.

        The states and what is to be told are written in one transaction. Of two who evaluate at once the second goes on
        from what the first has found, so that each change is told once. A source that fails leaves the states of its
        rules as they are; after five minutes of that an alert of its own fires: ``alerts cannot be evaluated``.
        """
        now_us = self._clock.now_us()
        sources = self._sources.once()
        found = [self._read(rule, sources) for rule in self.rules]
        evaluation = Evaluation(self.rules, self._channels_of, self._service)
        done: Evaluated = in_own_unit(self._database, lambda tx: evaluation.run(tx, found, now_us))
        self._metrics.counter("alerts_evaluations_total").add()
        # Here and now: that the application's own relay is stuck must be told, too.
        for _ in range(_ROUNDS):
            if not self._relay.run_once():
                break
        self._sender.ask()
        return done

    def send(self) -> int:
        """Tell what is due now, in this thread; how many notifications were told. Open, it does so by itself."""
        return self._sender.send()

    def deliver(self, tx: UnitLike, row: StagedRow) -> None:
        """The route of the topic ``alerts`` for the application's relay."""
        self._sender.deliver(tx, row)

    def current(self, state: State | None = None) -> list[Alert]:
        """Alerts in a state, or all that fire or may soon; those first whose state changed last.

        Resolved ones are kept for a week.
        """
        now_us = self._clock.now_us()
        with self._database.read() as tx:
            found, silences = rows.held(tx, state), rows.silences(tx, now_us)
        kept = [one for one in found if state is not None or one.state != "resolved"]
        return [_alert(one, telling.silenced(one, silences), now_us) for one in kept]

    def get(self, name: str) -> Alert | None:
        """An alert by its id; ``None`` if there is none such."""
        if not _ID(name):
            return None
        now_us = self._clock.now_us()
        with self._database.read() as tx:
            found, silences = rows.get(tx, name), rows.silences(tx, now_us)
        return None if found is None else _alert(found, telling.silenced(found, silences), now_us)

    def history(self, limit: int = 100, after: str | None = None) -> list[Change]:
        """What became of alerts in the last 90 days, the newest first; ``after``: the ``cursor`` of the last one."""
        if after is not None and not (after.isascii() and after.isdigit() and len(after) < 19):
            raise ValueError("expected after to be the cursor of a change")
        with self._database.read() as tx:
            return rows.changes(tx, limit, None if after is None else int(after))

    def silence(
        self,
        rule: str = "",
        labels: Mapping[str, str] | None = None,
        *,
        until: datetime,
        by: str = "",
        comment: str = "",
    ) -> Silence:
        """Tell nobody of alerts of ``rule`` that have all of ``labels`` until then; give at least one of both.

        What fires meanwhile is told when the silence ends, if it fires still.
        """
        labels = dict(labels or {})
        now_us = self._clock.now_us()
        if not rule and not labels:
            raise ValueError("expected a rule or labels: a silence of everything hides too much")
        if to_us(until) <= now_us:
            raise ValueError("expected until to be in the future")
        if not all(isinstance(value, str) for value in labels.values()):
            raise ValueError("expected labels to be text")
        name = str(uuid7(now_us))
        by, comment = policy.line(by, 45), policy.line(comment, 250)
        silence = Silence(name, rule, labels, until, from_us(now_us), by, comment)
        in_own_unit(self._database, lambda tx: rows.add_silence(tx, silence))
        _log.info("alerts were silenced", extra={"silence": name, "rule": rule, "by": by, "until": until.isoformat()})
        return silence

    def unsilence(self, name: str) -> bool:
        """End a silence now. ``False`` if there is none such, or it has ended."""
        if not _SILENCE(name):
            return False
        done = in_own_unit(self._database, lambda tx: rows.end_silence(tx, name, self._clock.now_us()))
        if done:
            _log.info("a silence of alerts was ended", extra={"silence": name})
        return bool(done)

    def silences(self) -> list[Silence]:
        """Silences that hold now, those first that end first."""
        with self._database.read() as tx:
            return rows.silences(tx, self._clock.now_us())

    def acknowledge(self, name: str, by: str = "") -> bool:
        """Say that somebody looks at an alert: nothing of it is repeated. ``False`` if it does not fire."""
        if not _ID(name):
            return False
        done = in_own_unit(self._database, partial(self._acknowledge, name, policy.line(by, 45) or "?"))
        if done:
            _log.info("an alert was acknowledged", extra={"alert": name, "by": by})
        return bool(done)

    def undelivered(self, limit: int = 100) -> list[Undelivered]:
        """Notifications that a channel refused for good, the newest first."""
        with self._database.read() as tx:
            return rows.undelivered(tx, limit)

    def test(self, channel: str) -> str:
        """Have a channel tell a test notification, now; what went wrong, empty if nothing did.

        :class:`ConfigurationError` if there is no such channel.
        """
        if channel not in self.channels:
            raise ConfigurationError(f"there is no channel {channel!r} here: known are {_listed(self.channels)}")
        now_us = self._clock.now_us()
        name = uuid7(now_us).hex
        title = f"[test] {self._service}{': ' if self._service else ''}this channel tells of alerts"
        at = from_us(now_us).isoformat()
        try:
            self.channels[channel].send(Notification(name, "test", "test", "test", "info", title, at))
        except Exception as error:
            return why(error)
        return ""

    def sweep(self) -> int:
        """Forget what is old, once an hour at most; returns how many changes and alerts.

        Changes of 90 days ago, alerts resolved a week ago, silences and undelivered notifications of 30 days ago.
        """
        now = self._clock.monotonic()
        with self._sweeping:
            if self._swept is not None and now - self._swept < _SWEEP_EVERY:
                return 0
            self._swept = now
        return int(in_own_unit(self._database, partial(_sweep, self._clock.now_us())))

    def _open(self) -> None:
        self._sender.open()

    def _close(self) -> None:
        self._sender.close()
        for channel in self.channels.values():
            channel.close()
        if not self._borrowed:
            self.bridge.close()

    def _read(self, rule: Rule, sources: Sources) -> Found:
        try:
            return Found(rule, [(_texts(one.labels), one.value) for one in sources.read(rule.of)])
        except Exception as error:
            self._metrics.counter("alerts_evaluation_failures_total", rule=rule.name).add()
            _log.debug("the source of an alert rule failed", exc_info=error, extra={"rule": rule.name})
            return Found(rule, None)

    def _channels_of(self, rule: Rule) -> tuple[str, ...]:
        return rule.channels or tuple(self.channels)

    def _acknowledge(self, name: str, by: str, tx: Any) -> bool:
        found, now_us = rows.get(tx, name, lock=True), self._clock.now_us()
        if found is None or found.state != "firing":
            return False
        rows.keep(tx, telling.acknowledged(found, by, now_us))
        rows.note(tx, found, "acknowledged", now_us, by)
        return True

    def _check(self) -> None:
        for name in self.channels:
            if _NAME(name) is None:
                raise ConfigurationError("expected as a channel's name 1 to 31 letters, digits and _ . -")
        names = {UNKNOWN}
        for rule in self.rules:
            if rule.name in names:
                raise ConfigurationError(f"there are two alert rules of the name {rule.name!r}")
            names.add(rule.name)
            try:
                self._sources.check(rule.of)
            except ConfigurationError as error:
                raise ConfigurationError(f"alert rule {rule.name!r}: {error}") from None
            for channel in rule.channels:
                if channel not in self.channels:
                    known = _listed(self.channels)
                    raise ConfigurationError(
                        f"alert rule {rule.name!r}: there is no channel {channel!r}, known are {known}"
                    )


def _sweep(now_us: int, tx: Any) -> int:
    old = rows.old_changes(tx, now_us - _KEEP_US, _BATCH)
    rows.drop_changes(tx, old)
    gone = [one.id for one in rows.held(tx, "resolved") if one.since_us < now_us - _KEEP_RESOLVED_US]
    rows.drop(tx, gone)
    rows.drop_silences(tx, now_us - 30 * DAY)
    rows.give_up_old(tx, now_us - 7 * DAY, now_us)
    rows.drop_undelivered(tx, now_us - 30 * DAY)
    return len(old) + len(gone)


def _alert(held: Held, silenced: bool, now_us: int) -> Alert:
    return Alert(
        id=held.id,
        rule=held.rule,
        labels=held.labels,
        severity=held.severity,
        state=held.state,
        value=held.value,
        summary=held.summary,
        runbook=held.runbook,
        began_at=from_us(held.began_us),
        since=from_us(held.since_us),
        seen_at=from_us(held.seen_us),
        told_at=None if held.told_us is None else from_us(held.told_us),
        channels=held.told,
        acknowledged_by=held.ack_by,
        acknowledged_at=None if held.ack_us is None else from_us(held.ack_us),
        silenced=silenced,
        flapping=held.flapping(now_us),
    )


def _texts(labels: Mapping[str, object]) -> dict[str, str]:
    return {str(name): str(value) for name, value in labels.items()}


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(sorted(names)) or "none"
