"""The way of notifications from the outbox to their channels.

The outbox's routes run in a transaction, on SQLite everybody's; a mail server may take ten seconds. So the route moves
a notification to a table of its own, where it is surely once, and a thread tells it with no transaction open.
"""

from __future__ import annotations

import hashlib
import json
import logging
import random
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ..._clock import Clock
from ..._errand import Errand
from ..._lifecycle import after_fork
from ..._metrics import Metrics
from ..._protocols import StagedRow, UnitLike, Units
from ..._retry import RetryPolicy
from ..._unit import in_own_unit
from ...errors import BackendError, BackendRejected, PostrMagicError
from . import rows
from .interface import AlertChannel, Notification
from .policy import DAY, SECOND, line
from .told import as_json, from_json, packed, unpacked

logger = logging.getLogger("postrmagic_core.observability")

TOPIC = "alerts"
# Microseconds for which a notice is its sender's: a channel takes much less. Then another one may take it.
LEASE_US = 60 * SECOND
# A channel is tried every few minutes, and given up after three days.
RETRY = RetryPolicy(attempts=1_000_000, base=5.0, cap=300.0)
_PATIENCE_US = 3 * DAY
_LATEST_US = 600 * SECOND
_TRIES = 12
# Seconds between looks at what others may have left.
_LOOK = 15.0
# Seconds that closing waits for a channel.
_END = 5.0
_random = random.SystemRandom()


def stage(tx: UnitLike, notification: Notification, channel: str, now_us: int) -> None:
    """Have ``channel`` tell a notification, after those before it, if and only if the unit commits."""
    payload = {"channel": channel, "at_us": now_us, "notification": as_json(notification)}
    tx.stage(TOPIC, json.dumps(payload, separators=(",", ":")).encode(), key=f"{TOPIC}:{channel}")


class Sender:
    """Tells what is due, in a thread while it is open; :meth:`send` needs none.

    Each channel's notifications are told in their order: one that fails holds up those after it. Two senders never tell
    the same one at once; where one ends while it tells, another tells it again, with the same id.
    """

    def __init__(
        self, database: Units, channels: Mapping[str, AlertChannel], *, clock: Clock, metrics: Metrics
    ) -> None:
        self._database = database
        self._channels = channels
        self._clock = clock
        self._metrics = metrics
        self._errand = Errand("postrmagic-alerts", self._work, logger)
        self._ends = False
        self._failing = False
        self._forget()
        after_fork(self._forget)

    def open(self) -> None:
        """Let it be asked."""
        self._ends = False
        self._errand.open()

    def ask(self) -> None:
        """Have what is due told soon, if it is open."""
        self._errand.ask()

    def close(self) -> None:
        """End the thread; what a channel is being told then is told again if that takes longer than five seconds."""
        self._ends = True
        # Aside, since a silent receiver takes longer than anybody should wait.
        ending = threading.Thread(target=partial(self._errand.close, finish=False), daemon=True)
        ending.start()
        ending.join(_END)

    def deliver(self, tx: UnitLike, row: StagedRow) -> None:
        """The route of the topic ``alerts``: what was staged is now surely told, once it can be."""
        staged = json.loads(row.payload)
        notification = from_json(staged["notification"])
        _add(tx, notification, staged["channel"], staged["at_us"])
        tx.after_commit(self.ask)

    def send(self) -> int:
        """Tell everything that is due and that nobody else is telling; how many were told."""
        told = 0
        with self._sending:
            while not self._is_ending():
                with self._database.read() as tx:
                    waiting = rows.waiting(tx)
                now_us = self._clock.now_us()
                due = [one for one in waiting if _is_due(one, now_us) and one.channel in self._channels]
                tried = 0
                for one in due:
                    # Taken only to be told at once: who ends keeps none back from others.
                    if not self._is_ending() and self._take(one):
                        told += self._send(one)
                        tried += 1
                if not tried:
                    break
        return told

    def _is_ending(self) -> bool:
        return self._ends

    def _forget(self) -> None:
        self._sending = threading.Lock()

    def _work(self) -> float | None:
        try:
            self.send()
            with self._database.read() as tx:
                due = [one for one in rows.waiting(tx) if one.channel in self._channels]
        except BackendError as error:
            level = logging.DEBUG if self._failing else logging.WARNING
            self._failing = True
            logger.log(level, "the database does not say what alerts tell: it is asked again", exc_info=error)
            return _LOOK
        self._failing = False
        return min(max((min(one.due_us for one in due) - self._clock.now_us()) / SECOND, 0.2), _LOOK) if due else None

    def _take(self, notice: rows.Notice) -> bool:
        until_us = self._clock.now_us() + LEASE_US
        return bool(in_own_unit(self._database, lambda tx: rows.take(tx, notice, until_us)))

    def _send(self, notice: rows.Notice) -> bool:
        try:
            notification = unpacked(notice.payload)
        except ValueError as error:
            self._keep_dead(notice, line(error, 150), [])
            return False
        try:
            self._channels[notice.channel].send(notification)
        except Exception as error:
            self._failed(notice, notification, error)
            return False
        in_own_unit(self._database, lambda tx: rows.sent(tx, notice.id))
        self._metrics.counter("alerts_told_total", channel=notice.channel).add()
        return True

    def _failed(self, notice: rows.Notice, notification: Notification, error: Exception) -> None:
        now_us = self._clock.now_us()
        reason = why(error)
        # Anything else is a fault of the channel's own, maybe with this notification alone, for which others wait.
        away = isinstance(error, BackendError | OSError)
        tired = now_us - notice.created_us >= _PATIENCE_US or (not away and notice.attempts + 1 >= _TRIES)
        if isinstance(error, BackendRejected) or tired:
            self._give_up(notice, notification, reason)
            return
        delay = RETRY.delay(notice.attempts + 1, _random.random()) or 0.0
        due_us = now_us + SECOND + round(delay * SECOND)
        in_own_unit(self._database, lambda tx: rows.failed(tx, notice, reason, due_us, now_us))
        self._metrics.counter("alerts_send_failures_total", channel=notice.channel).add()
        level = logging.DEBUG if notice.attempts else logging.WARNING
        logger.log(level, "a channel cannot tell of an alert and is tried again", extra=_told(notice, reason))

    def _give_up(self, notice: rows.Notice, notification: Notification, reason: str) -> None:
        """Keep it to be seen, and have the other channels tell of it: of such a notification itself nobody else."""
        others = [name for name in self._channels if name != notice.channel]
        told = _undelivered(notification, notice.channel, reason)
        self._keep_dead(notice, reason, [(told, name) for name in others if notification.kind != "undelivered"])

    def _keep_dead(self, notice: rows.Notice, reason: str, told: Sequence[tuple[Notification, str]]) -> None:
        now_us = self._clock.now_us()

        def work(tx: Any) -> None:
            rows.failed(tx, notice, reason, None, now_us)
            for notification, channel in told:
                _add(tx, notification, channel, now_us)

        in_own_unit(self._database, work)
        self._metrics.counter("alerts_undelivered_total", channel=notice.channel).add()
        logger.error("a channel cannot tell of an alert: it is given up", extra=_told(notice, reason))


def _is_due(notice: rows.Notice, now_us: int) -> bool:
    """What is due later than anything is ever put off was put off by a clock that was ahead."""
    return not now_us < notice.due_us <= now_us + _LATEST_US


def _add(tx: Any, notification: Notification, channel: str, at_us: int) -> None:
    rows.add_notice(tx, f"{notification.id}:{channel}", channel, packed(notification), at_us)


def why(error: Exception) -> str:
    """An error for operators, in a line: the text of our own, which tell no secrets, and the kind of any other."""
    kind = type(error).__qualname__
    return line(f"{kind}: {error}" if isinstance(error, PostrMagicError) else kind, 150)


def _undelivered(notification: Notification, channel: str, reason: str) -> Notification:
    """The same alerts, with what became of telling them."""
    note = f"channel {channel} refused this: {reason}"
    told = as_json(notification) | {
        "id": hashlib.sha256(f"{notification.id}:{channel}:undelivered".encode()).hexdigest()[:32],
        "kind": "undelivered",
        "title": f"[not told by {channel}] {notification.title}",
        "note": f"{notification.note}; {note}" if notification.note else note,
    }
    return from_json(told)


def _told(notice: rows.Notice, reason: str) -> dict[str, Any]:
    return {"channel": notice.channel, "notification": notice.id, "error": reason, "attempts": notice.attempts + 1}
