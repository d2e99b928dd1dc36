"""Alerts without each of their guards: ``make guards`` puts these in their places (tests/faults.toml)."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Sequence
from typing import Any

from postrmagic_core.observability.alerts import policy, rows
from postrmagic_core.observability.alerts.evaluation import Found
from postrmagic_core.observability.alerts.interface import Notification
from postrmagic_core.observability.alerts.rules import Rule
from postrmagic_core.observability.alerts.told import from_json

NO_END = 10**18


def given_up_at_once(sender: Any, notice: rows.Notice, notification: Notification, error: Exception) -> None:
    """What fails once is not tried again."""
    sender._give_up(notice, notification, str(error))


def dropped(sender: Any, notice: rows.Notice, notification: Notification, reason: str) -> None:
    """What is refused is kept nowhere and told nobody."""
    with sender._database.write() as tx:
        rows.sent(tx, notice.id)


def told_in_the_transaction(sender: Any, tx: Any, row: Any) -> None:
    """The channel is waited for by whoever waits for the transaction."""
    staged = json.loads(row.payload)
    sender._channels[staged["channel"]].send(from_json(staged["notification"]))


def unlocked(tx: Any) -> rows.Round:
    """Nobody waits for an evaluation that is under way."""
    return rows.Round()


def read_as_nothing(alerts: Any, rule: Rule, sources: Any) -> Found:
    """A source that fails is one that has nothing to tell."""
    try:
        return Found(rule, [(one.labels, one.value) for one in sources.read(rule.of)])
    except Exception:
        return Found(rule, [])


def as_it_is(text: object, size: int = 0) -> str:
    """Nobody looks at what a text holds."""
    return str(text)


def all_of_it(error: Exception) -> str:
    """Whatever an error says is shown."""
    return f"{type(error).__qualname__}: {error}"


def not_ending(server: Any, late: threading.Event, seconds: float) -> threading.Timer:
    """Nothing ends a connection."""
    return threading.Timer(seconds, late.set)


def trusting_all(channel: Any) -> ssl.SSLContext:
    """No certificate is looked at."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def unsigned(keys: Sequence[bytes], name: str, at: str, body: bytes) -> str:
    """Something that is no signature."""
    return "v1,AAAA"


def due_by_any_clock(notice: rows.Notice, now_us: int) -> bool:
    """What a clock that was ahead put off waits until then."""
    return notice.due_us <= now_us


def pending_by_any_clock(rule: Rule, seen: policy.Held, judged: str, now_us: int) -> policy.Held:
    """What a clock that was ahead began is pending until then."""
    return policy._fires(seen, now_us) if now_us - seen.since_us >= rule.for_ * policy.SECOND else seen
