"""What is to be told is told: whatever is away, whoever is killed, however many look at once."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from postrmagic_core._metrics import Metrics
from postrmagic_core.database import DatabaseManager
from postrmagic_core.database.tables import outbox
from postrmagic_core.errors import BackendRejected, BackendUnavailable
from postrmagic_core.observability.alerts import Alerts, Notification, rows
from postrmagic_core.observability.alerts.channels.memory import MemoryChannel
from postrmagic_core.observability.alerts.evaluation import Evaluation, Found
from postrmagic_core.observability.alerts.interface import Evaluated
from postrmagic_core.observability.tables import alert_notices
from postrmagic_core.testing import FakeClock, spawn, until
from tests.observability.alerts.rig import Place, Watch, full


def waiting(database: DatabaseManager) -> int:
    """How many notifications are on their way."""
    with database.read() as tx:
        counts = [tx.scalar(select(func.count()).select_from(table)) for table in (outbox, alert_notices)]
    return sum(counts)


@pytest.mark.fault
def test_a_channel_that_is_away_for_an_hour_loses_nothing(database: DatabaseManager, clock: FakeClock) -> None:
    """All of it arrives when it is back, in order, once; another channel is told meanwhile."""
    place, metrics = Place(), Metrics()
    channels = {"mail": MemoryChannel(), "chat": MemoryChannel()}
    watch = Watch(database, clock, full(place), channels=channels)
    watch.alerts = Alerts(database, rules=[full(place)], channels=channels, clock=clock, metrics=metrics)
    channels["mail"].error = BackendUnavailable("away")
    for number in range(60):
        place.values = {"a": 5 if number // 20 % 2 == 0 else 0}
        watch.look()
        clock.advance(45)
    assert channels["mail"].told == []
    assert [one.kind for one in channels["chat"].told] == ["firing", "resolved", "firing"]
    channels["mail"].error = None
    clock.advance(301)
    watch.look()
    assert channels["mail"].told == channels["chat"].told
    assert waiting(database) == 0
    assert 12 <= metrics.counter("alerts_send_failures_total", channel="mail").value <= 60


@pytest.mark.fault
def test_what_a_clock_that_was_ahead_put_off_is_told(database: DatabaseManager, clock: FakeClock) -> None:
    """Now, and not when that time has come."""
    place = Place(a=5)
    watch = Watch(database, clock, full(place))
    watch.mail.error = BackendUnavailable("away")
    clock.jump(12 * 3600)
    watch.look()
    watch.mail.error = None
    clock.jump(-12 * 3600)
    watch.look()
    assert watch.told() == [("firing", 1)]


@pytest.mark.fault
def test_a_refusal_for_good_is_kept_and_told_elsewhere(
    database: DatabaseManager, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """With its reason, once, and what follows is tried all the same; that nobody can be told is told nobody."""
    place = Place(a=5)
    channels = {"mail": MemoryChannel(), "hook": MemoryChannel()}
    watch = Watch(database, clock, full(place), channels=channels)
    channels["hook"].error = BackendRejected("the hook answered 410" + 100 * "€")
    watch.look()
    [lost] = watch.alerts.undelivered()
    assert (lost.channel, lost.attempts) == ("hook", 1)
    assert lost.error.startswith("BackendRejected: the hook answered 410€€")
    watch.look()
    firing, undelivered = channels["mail"].told
    assert (firing.kind, undelivered.kind) == ("firing", "undelivered")
    assert undelivered.title == "[not told by hook] [warning] full"
    assert "410" in undelivered.note
    assert undelivered.alerts == firing.alerts
    assert undelivered.id != firing.id
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 1
    channels["mail"].error = BackendRejected("no")
    place.values["b"] = 5
    watch.look(3)
    assert len(watch.alerts.undelivered()) == 5
    assert waiting(database) == 5
    clock.advance(31 * 86_400)
    watch.alerts.sweep()
    assert watch.alerts.undelivered() == []


def test_what_nobody_takes_for_three_days_is_given_up(database: DatabaseManager, clock: FakeClock) -> None:
    """And what no process has a channel for, after a week."""
    watch = Watch(database, clock, full(Place(a=5)), channels={"mail": MemoryChannel(), "gone": MemoryChannel()})
    watch.channels["mail"].error = BackendUnavailable("away")
    watch.alerts.evaluate()
    del watch.alerts.channels["gone"]
    clock.advance(3 * 86_400)
    watch.alerts.send()
    assert [one.channel for one in watch.alerts.undelivered()] == ["mail"]
    clock.advance(4 * 86_400)
    watch.alerts.sweep()
    assert ("gone", "no process knows this channel") in {(one.channel, one.error) for one in watch.alerts.undelivered()}


@pytest.mark.fault
def test_one_that_a_channel_stumbles_over_holds_up_the_others_for_an_hour_at_most(
    database: DatabaseManager, clock: FakeClock
) -> None:
    """A fault of the channel's own, or a stored notification that nobody can read."""
    place = Place(a=5)
    watch = Watch(database, clock, full(place))
    watch.mail.error = TypeError("of this one")
    watch.alerts.evaluate()
    for _ in range(12):
        watch.alerts.send()
        clock.advance(301)
    [lost] = watch.alerts.undelivered()
    assert (lost.error, lost.attempts) == ("TypeError", 12)
    watch.mail.error = None
    with database.write() as tx:
        rows.add_notice(tx, "broken", "mail", b"{}", clock.now_us())
    place.values["a"] = 0
    watch.look()
    watch.look()
    assert watch.told() == [("resolved", 1)]
    assert [one.title for one in watch.alerts.undelivered()] == ["?", "[warning] full"]


class FileChannel:
    """Writes a line for each notification, as one write."""

    def __init__(self, path: str, *, end: str = "") -> None:
        self._path = path
        self._end = end

    def send(self, notification: Notification) -> None:
        """Write it; ``end`` has the process killed before, or after."""
        if self._end == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        line = json.dumps([notification.id, notification.kind, notification.rule]) + "\n"
        with Path(self._path).open("ab", buffering=0) as file:
            file.write(line.encode())
        if self._end == "after":
            os.kill(os.getpid(), signal.SIGKILL)

    def close(self) -> None:
        """Nothing."""


def lines(path: Path) -> list[Any]:
    """What was written."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def look_on(url: str, path: str, seconds: float) -> None:
    """What each process of an application does, on the machine's clock, much faster."""
    place = Place(a=5, b=5)
    rules = [full(place, channels=("file",))]
    rules += [type(rules[0])(f"full {number}", place, above=1.0) for number in range(6)]
    with DatabaseManager(url) as database:
        alerts = Alerts(database, rules=rules, channels={"file": FileChannel(path)})
        with alerts:
            print("ready", flush=True)  # noqa: T201 - the parent reads it
            ends = time.monotonic() + seconds
            while time.monotonic() < ends:
                alerts.evaluate()


@pytest.mark.fault
def test_processes_that_look_at_once_tell_everything_once(
    database_url: str, database: DatabaseManager, tmp_path: Path
) -> None:
    """Three of them, seven rules: seven notifications."""
    file = tmp_path / "told"
    children = [spawn(look_on, database_url, str(file), 1.0) for _ in range(3)]
    for child in children:
        with child:
            assert list(child.lines()) == ["ready"]
    # What one of them was telling as another one ended.
    Alerts(database, channels={"file": FileChannel(str(file))}).send()
    told = lines(file)
    assert sorted(rule for _, _, rule in told) == sorted(["full", *(f"full {number}" for number in range(6))])
    assert {kind for _, kind, _ in told} == {"firing"}
    assert waiting(database) == 0


class _Killed:
    def run_once(self) -> int:
        """The process ends here."""
        os.kill(os.getpid(), signal.SIGKILL)
        return 0


def be_killed(url: str, path: str, when: str) -> None:
    """Evaluates once, and is killed: after the commit, or before or after the channel has it."""
    with DatabaseManager(url) as database:
        channel = FileChannel(path, end=when)
        alerts = Alerts(database, rules=[full(Place(a=5))], channels={"file": channel}, clock=FakeClock())
        if when == "committed":
            alerts.__dict__["_relay"] = _Killed()
        alerts.evaluate()
        alerts.send()


@pytest.mark.fault
@pytest.mark.parametrize(("when", "times"), [("committed", 1), ("before", 1), ("after", 2)])
def test_a_kill_between_looking_and_telling_loses_nothing(
    database_url: str, database: DatabaseManager, clock: FakeClock, tmp_path: Path, when: str, times: int
) -> None:
    """Another process tells it: at once, or when the killed one's minute is over; a double has the same id."""
    file = tmp_path / "told"
    with spawn(be_killed, database_url, str(file), when) as child:
        assert list(child.lines()) == []
    alerts = Alerts(database, rules=[full(Place(a=5))], channels={"file": FileChannel(str(file))}, clock=clock)
    alerts.evaluate()
    clock.advance(59)
    alerts.send()
    assert len(lines(file)) == (when != "before")
    clock.advance(1)
    alerts.send()
    told = lines(file)
    assert len(told) == times
    assert len({name for name, _, _ in told}) == 1
    assert waiting(database) == 0


class Slow(MemoryChannel):
    """Tells nothing until it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may = threading.Event()
        self.asked = threading.Event()

    def send(self, notification: Notification) -> None:
        """Wait."""
        self.asked.set()
        assert self.may.wait(30)
        super().send(notification)


@pytest.mark.fault
def test_while_a_channel_is_slow_the_application_writes(database: DatabaseManager) -> None:
    """No transaction is open meanwhile, evaluating waits for nobody, and closing takes five seconds at most."""
    channel = Slow()
    place = Place(a=5)
    alerts = Alerts(database, rules=[full(place)], channels={"slow": channel})
    with alerts:
        alerts.evaluate()
        assert channel.asked.wait(10)
        began = time.monotonic()
        with database.write() as tx:
            tx.stage("other", b"")
        alerts.silence("x", until=alerts.history()[0].at + timedelta(days=1))
        place.values["a"] = 0
        assert alerts.evaluate().resolved == 1
        assert time.monotonic() - began < 4
        channel.may.set()
        until(lambda: len(channel.told) == 2)


@pytest.mark.fault
def test_what_one_sender_tells_no_other_does(database: DatabaseManager) -> None:
    """Not while it tells it, and not after."""
    channel, other = Slow(), MemoryChannel()
    rules = [full(Place(a=5))]
    mine = Alerts(database, rules=rules, channels={"mail": channel})
    theirs = Alerts(database, rules=rules, channels={"mail": other})
    mine.evaluate()
    thread = threading.Thread(target=mine.send)
    thread.start()
    assert channel.asked.wait(10)
    assert theirs.send() == 0
    channel.may.set()
    thread.join(10)
    assert theirs.send() == 0
    assert (len(channel.told), other.told) == (1, [])


@pytest.mark.fault
def test_of_two_who_look_at_once_the_second_waits(database: DatabaseManager, clock: FakeClock) -> None:
    """Until the first one has written what it found, and goes on from there."""
    rule = full(Place(a=5))
    watch = Watch(database, clock, rule)
    first = Evaluation([rule], lambda _: ("mail",), "")
    second: list[Evaluated] = []
    with database.write() as tx:
        assert first.run(tx, [Found(rule, [({"host": "a"}, 5.0)])], clock.now_us()).fired == 1
        thread = threading.Thread(target=lambda: second.append(watch.alerts.evaluate()))
        thread.start()
        thread.join(0.3)
        assert second == []
    thread.join(30)
    assert [(one.fired, one.told) for one in second] == [(0, 0)]
    assert watch.alerts.send() == 1


def test_opened_it_tells_by_itself_and_again_after_it_was_closed(database: DatabaseManager) -> None:
    """In a thread that ends with it."""
    place = Place(a=5)
    mail = MemoryChannel()
    alerts = Alerts(database, rules=[full(place)], channels={"mail": mail})
    with alerts:
        alerts.evaluate()
        until(lambda: len(mail.told) == 1)
    assert not [thread for thread in threading.enumerate() if thread.name == "postrmagic-alerts"]
    place.values["a"] = 0
    alerts.evaluate()
    with alerts:
        alerts.evaluate()
        until(lambda: len(mail.told) == 2)


def test_the_application_s_relay_tells_too(database: DatabaseManager, clock: FakeClock) -> None:
    """The route of the topic: what is staged is told once, whoever forwards it."""
    watch = Watch(database, clock, full(Place(a=5)))
    watch.alerts.__dict__["_relay"] = database.relay({})
    watch.alerts.evaluate()
    assert database.outbox_counts()["alerts"].waiting == 1
    relay = database.relay({"alerts": watch.alerts.deliver})
    assert (relay.run_once(), relay.run_once()) == (1, 0)
    assert watch.alerts.send() == 1
    assert watch.told() == [("firing", 1)]
