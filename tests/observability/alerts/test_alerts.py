"""Alerts in a database: what fires, what is told, what people say of it."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Any

import pytest

from postrmagic_core._metrics import Metrics
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import ConfigurationError
from postrmagic_core.observability.alerts import Alerts, RateOfChange
from postrmagic_core.observability.alerts.channels.memory import MemoryChannel
from postrmagic_core.observability.alerts.evaluation import MOST, UNKNOWN
from postrmagic_core.observability.alerts.interface import Evaluated
from postrmagic_core.testing import FakeClock
from tests.observability.alerts.rig import Place, Watch, full


def test_from_broken_to_resolved(database: DatabaseManager, clock: FakeClock) -> None:
    """Each place by itself; told once that it fires and once that it is over."""
    place = Place(a=0, b=0)
    watch = Watch(database, clock, full(place, for_=30, clear_for=30))
    watch.look(2)
    assert watch.states() == {}
    place.values["a"] = 5
    watch.look(2)
    assert watch.states() == {"a": "pending"}
    assert watch.told() == []
    watch.look(3)
    assert watch.states() == {"a": "firing"}
    [told] = watch.mail.told
    assert (told.title, told.severity, told.rule) == ("[warning] full", "warning", "full")
    assert [(alert.summary, alert.labels) for alert in told.alerts] == [("a is full: 5", {"host": "a"})]
    place.values["a"] = 0
    watch.look(3)
    assert watch.states() == {}
    assert watch.told() == [("firing", 1), ("resolved", 1)]
    [resolved] = watch.alerts.current("resolved")
    assert resolved == watch.alerts.get(resolved.id)
    assert resolved.channels == ("mail",)
    history = watch.alerts.history()
    assert [change.became for change in history] == ["resolved", "firing"]
    assert [change.became for change in watch.alerts.history(1, after=history[0].cursor)] == ["firing"]


def test_what_one_process_began_another_goes_on_with(database: DatabaseManager, clock: FakeClock) -> None:
    """Pending, hysteresis, what was told and readings of a rate: all of it is in the database."""
    place, rate = Place(a=5), Place(x=10)
    rules = (full(place, for_=60), RateOfChange("grows", rate, by=0.5, within=60))
    channels = {"mail": MemoryChannel()}
    for number in range(6):
        rate.values["x"] = 10 if number < 5 else 16
        Watch(database, clock, *rules, channels=channels).look()
    assert [one.rule for one in channels["mail"].told] == ["full", "grows"]
    for _ in range(3):
        Watch(database, clock, *rules, channels=channels).look()
    assert len(channels["mail"].told) == 2


def test_what_comes_together_is_told_together(database: DatabaseManager, clock: FakeClock) -> None:
    """By rule; what comes a little later waits for the end of thirty seconds."""
    place = Place(a=5, b=5)
    watch = Watch(database, clock, full(place))
    watch.look()
    assert watch.told() == [("firing", 2)]
    place.values |= {"c": 5}
    watch.look()
    place.values |= {"d": 5}
    assert watch.told() == [("firing", 2)]
    watch.look()
    assert watch.told() == [("firing", 2), ("firing", 2)]


def test_a_source_that_fails_changes_nothing_and_is_told(
    database: DatabaseManager, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """After five minutes an alert of its own says so; it is over when the source is back."""
    place, metrics = Place(a=5), Metrics()
    watch = Watch(database, clock, full(place))
    watch.alerts = Alerts(database, rules=[full(place)], channels=watch.channels, clock=clock, metrics=metrics)
    watch.look()
    place.error = RuntimeError("s3cret")
    watch.look(20)
    assert watch.states()["a"] == "firing"
    assert watch.told() == [("firing", 1)]
    watch.look(2)
    assert watch.told() == [("firing", 1), ("firing", 1)]
    [unknown] = [alert for alert in watch.alerts.current() if alert.rule == UNKNOWN]
    assert (unknown.labels, unknown.severity) == ({"rule": "full"}, "critical")
    assert "“full”" in unknown.summary
    assert "s3cret" not in repr(watch.mail.told)
    assert metrics.counter("alerts_evaluation_failures_total", rule="full").value == 22
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    place.error = None
    watch.look()
    assert watch.states() == {"a": "firing"}
    assert watch.told()[-1] == ("resolved", 1)


def test_no_data_for_two_days_of_a_failing_source_forgets_nothing(database: DatabaseManager, clock: FakeClock) -> None:
    """Of one that answers, what it names no more is forgotten after a day."""
    place = Place(a=5)
    watch = Watch(database, clock, full(place))
    watch.look()
    place.error = RuntimeError()
    for _ in range(8):
        clock.advance(6 * 3600)
        watch.look()
    assert watch.states()["a"] == "firing"
    place.error, place.values = None, {"b": 0}
    for _ in range(8):
        clock.advance(6 * 3600)
        watch.look()
    assert watch.states() == {}
    assert watch.told()[-1] == ("resolved", 1)


def test_a_silence_hides_and_then_tells(database: DatabaseManager, clock: FakeClock) -> None:
    """What fires still is told when it ends, by itself or by somebody; what is over meanwhile is told nobody."""
    place = Place(a=5, b=5)
    watch = Watch(database, clock, full(place))
    until = clock.now + timedelta(minutes=10)
    silence = watch.alerts.silence("full", {"host": "a"}, until=until, by="ann", comment="!")
    watch.alerts.silence(labels={"host": "b"}, until=clock.now + timedelta(minutes=1))
    assert [one.labels["host"] for one in watch.alerts.silences()] == ["b", "a"]
    watch.look(3)
    assert watch.told() == []
    assert {alert.labels["host"]: alert.silenced for alert in watch.alerts.current()} == {"a": True, "b": True}
    watch.look(3)
    assert watch.told() == [("firing", 1)]
    assert watch.alerts.silences() == [silence]
    assert watch.alerts.unsilence(silence.id)
    assert not watch.alerts.unsilence(silence.id)
    watch.look(3)
    assert watch.told() == [("firing", 1), ("firing", 1)]
    place.values["c"] = 5
    watch.alerts.silence(labels={"host": "c"}, until=clock.now + timedelta(minutes=1))
    watch.look()
    place.values["c"] = 0
    watch.look(6)
    assert len(watch.told()) == 2


@pytest.mark.parametrize(("rule", "labels", "minutes"), [("", {}, 5), ("r", {}, 0), ("r", {}, -1), ("r", {"a": 1}, 5)])
def test_a_silence_of_everything_or_of_nothing_is_refused(
    database: DatabaseManager, clock: FakeClock, rule: str, labels: Any, minutes: int
) -> None:
    """And one that has ended already."""
    watch = Watch(database, clock)
    with pytest.raises(ValueError, match="expected"):
        watch.alerts.silence(rule, labels, until=clock.now + timedelta(minutes=minutes))
    with pytest.raises(ValueError, match="cursor"):
        watch.alerts.history(after="1 OR 1=1")


def test_it_is_repeated_until_somebody_looks_at_it(database: DatabaseManager, clock: FakeClock) -> None:
    """Every four hours; that it is over is told all the same, and who looked is in the history."""
    place = Place(a=5)
    watch = Watch(database, clock, full(place))
    watch.look()
    clock.advance(4 * 3600)
    watch.look(2)
    assert watch.told() == [("firing", 1), ("repeat", 1)]
    assert watch.mail.told[1].title == "[still warning] full"
    [alert] = watch.alerts.current()
    assert watch.alerts.acknowledge(alert.id, "ann\n")
    assert not watch.alerts.acknowledge("none")
    clock.advance(9 * 3600)
    watch.look(2)
    [alert] = watch.alerts.current()
    assert alert.acknowledged_by == "ann "
    place.values["a"] = 0
    watch.look()
    assert not watch.alerts.acknowledge(alert.id, "bob")
    assert watch.told() == [("firing", 1), ("repeat", 1), ("resolved", 1)]
    assert [(one.became, one.by) for one in watch.alerts.history()] == [
        ("resolved", ""),
        ("acknowledged", "ann "),
        ("firing", ""),
    ]
    place.values["a"] = 5
    watch.look()
    assert [alert.acknowledged_by for alert in watch.alerts.current()] == [""]


def test_that_it_is_over_is_told_where_it_was_told(database: DatabaseManager, clock: FakeClock) -> None:
    """A rule's own channels, each once, also where the rule tells others meanwhile."""
    place = Place(a=5)
    channels = {"mail": MemoryChannel(), "chat": MemoryChannel(), "page": MemoryChannel()}
    Watch(database, clock, full(place, channels=("mail", "page")), channels=channels).look()
    place.values["a"] = 0
    watch = Watch(database, clock, full(place, channels=("chat",)), channels=channels)
    watch.look()
    assert {name: watch.told(name) for name in channels} == {
        "mail": [("firing", 1), ("resolved", 1)],
        "chat": [],
        "page": [("firing", 1), ("resolved", 1)],
    }


def test_one_that_breaks_again_before_its_end_was_told_is_told_in_the_end(
    database: DatabaseManager, clock: FakeClock
) -> None:
    """Nobody is left with an alert that fires for ever."""
    place = Place(a=5)
    watch = Watch(database, clock, full(place, for_=30))
    watch.look(3)
    place.values["a"] = 0
    watch.look()
    place.values["a"] = 5
    watch.look(2)
    place.values["a"] = 0
    watch.look(4)
    assert watch.told() == [("firing", 1), ("resolved", 1)]


def test_a_flood_of_places_is_bounded(
    database: DatabaseManager, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A hundred alerts of one rule; those that fire already stay."""
    place = Place(z=5)
    watch = Watch(database, clock, full(place))
    watch.look()
    place.values |= {f"h{number}": 5 for number in range(500)}
    watch.look(2)
    assert len(watch.alerts.current()) == MOST
    assert "z" in watch.states()
    assert "too many readings" in caplog.text


def test_a_look_that_is_older_changes_nothing(database: DatabaseManager, clock: FakeClock) -> None:
    """Another process looked later; but for a clock that is wrong by more than a minute nobody waits."""
    place = Place(a=5)
    watch = Watch(database, clock, full(place))
    watch.look()
    clock.jump(-30)
    assert watch.alerts.evaluate().skipped
    clock.jump(-60)
    assert watch.alerts.evaluate() == Evaluated(1)


def test_what_is_old_is_forgotten(database: DatabaseManager, clock: FakeClock) -> None:
    """Changes after 90 days, resolved alerts after a week, silences that have ended after 30 days."""
    place = Place(a=5)
    watch = Watch(database, clock, full(place))
    watch.alerts.silence("x", until=clock.now + timedelta(hours=1))
    watch.look()
    place.values["a"] = 0
    watch.look()
    assert watch.alerts.sweep() == 0
    clock.advance(8 * 86_400)
    assert watch.alerts.sweep() == 1
    assert watch.alerts.current("resolved") == []
    clock.advance(83 * 86_400)
    assert watch.alerts.sweep() == 2
    assert watch.alerts.history() == []


@pytest.mark.parametrize("name", ["", "x", "a" * 33, "a" * 64, "a" * 100_000, "é" * 32, "\ud800", "\x00", "a\n"])
def test_an_id_that_is_none_is_unknown(database: DatabaseManager, clock: FakeClock, name: str) -> None:
    """Whatever it is: an address or a command may hold anything."""
    alerts = Watch(database, clock).alerts
    assert alerts.get(name) is None
    assert not alerts.acknowledge(name)
    assert not alerts.unsilence(name)


def test_a_channel_can_be_tried(database: DatabaseManager, clock: FakeClock) -> None:
    """It tells a test; what goes wrong is said without what nobody may see."""
    watch = Watch(database, clock)
    assert watch.alerts.test("mail") == ""
    assert [(one.kind, one.title) for one in watch.mail.told] == [("test", "[test] this channel tells of alerts")]
    watch.mail.error = ConnectionError("https://user:s3cret@example.org")
    assert watch.alerts.test("mail") == "ConnectionError"
    with pytest.raises(ConfigurationError, match="known are mail"):
        watch.alerts.test("nobody")


def test_both_faces_say_the_same(database: DatabaseManager, clock: FakeClock) -> None:
    """Every name of the sync face is there for asyncio, and does the same."""
    place = Place(a=5)
    watch = Watch(database, clock, full(place))
    lonely = {"aio", "bridge", "channels", "deliver", "open", "close", "is_open", "ensure_open"}
    assert {name for name in dir(watch.alerts) if not name.startswith("_")} - lonely == {
        name for name in dir(watch.alerts.aio) if not name.startswith("_")
    }

    async def all_of_it() -> None:
        aio = watch.alerts.aio
        assert aio.rules == watch.alerts.rules
        assert (await aio.evaluate()).fired == 1
        assert await aio.send() == 1
        [alert] = await aio.current()
        assert await aio.get(alert.id) == alert
        assert await aio.acknowledge(alert.id, "ann")
        silence = await aio.silence("full", until=clock.now + timedelta(hours=1), comment="why")
        assert await aio.silences() == [silence]
        assert await aio.unsilence(silence.id)
        assert len(await aio.history()) == 2
        assert await aio.undelivered() == []
        assert await aio.test("mail") == ""
        assert await aio.sweep() == 0

    asyncio.run(all_of_it())
    watch.alerts.bridge.close()
