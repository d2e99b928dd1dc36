"""What readings do to the state of an alert, and who is told of it: pure decisions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postrmagic_core._clock import from_us
from postrmagic_core.observability.alerts import policy, telling
from postrmagic_core.observability.alerts.interface import Silence
from postrmagic_core.observability.alerts.policy import SECOND, Held
from postrmagic_core.observability.alerts.rules import Absence, RateOfChange, Threshold, errors

START = 1_000_000 * SECOND
EVERY = 15 * SECOND


def nothing() -> list[object]:
    """A source of which these tests give the readings themselves."""
    return []


def rule(**how: float) -> Threshold:
    """Broken above 10."""
    return Threshold("r", nothing, **{"above": 10.0} | how)  # type: ignore[arg-type]  # numbers and an empty source


def run(of: Threshold, values: Sequence[float | None], every: int = EVERY) -> list[Held | None]:
    """The state after each value, one every so often."""
    held: Held | None = None
    states = []
    for number, value in enumerate(values):
        held = policy.step(of, {}, value, held, START + number * every)
        states.append(held)
    return states


def names(states: Sequence[Held | None]) -> list[str]:
    """The states' names, `-` for none."""
    return ["-" if held is None else held.state for held in states]


def test_it_fires_once_it_is_broken_for_long_enough() -> None:
    """Pending before that; well again meanwhile it is as if nothing had been."""
    of = rule(for_=30)
    assert names(run(of, [1, 11, 12, 13, 14])) == ["-", "pending", "pending", "firing", "firing"]
    assert names(run(of, [11, 11, 1, 11, 11, 11])) == ["pending", "pending", "-", "pending", "pending", "firing"]
    assert names(run(rule(), [11])) == ["firing"]


@pytest.mark.fault
def test_a_clock_that_was_ahead_puts_nothing_off() -> None:
    """Not for longer than it would have taken without: what was noted in a year from now counts from now."""
    of, ahead = rule(for_=30, clear_for=30), START + 365 * policy.DAY
    held = policy.step(of, {}, 11, None, ahead)
    for number in range(3):
        held = policy.step(of, {}, 11, held, START + number * EVERY)
    assert names([held]) == ["firing"]
    assert held is not None
    told = replace(held, told_us=ahead, told=("mail",))
    assert telling.wanted(told, [], START) == "repeat"
    assert telling.wanted(replace(told, told_us=START + SECOND), [], START) is None
    held = policy.step(of, {}, 1, held, ahead)
    for number in range(3):
        held = policy.step(of, {}, 1, held, START + number * EVERY)
    assert names([held]) == ["resolved"]


def test_between_both_thresholds_it_stays_as_it_is() -> None:
    """Firing it goes on firing, and the time for which it is well begins anew."""
    of = rule(clear_below=5, clear_for=30)
    assert names(run(of, [11, 7, 6, 7])) == ["firing"] * 4
    assert names(run(of, [11, 4, 4, 7, 4, 4, 4])) == ["firing"] * 6 + ["resolved"]
    assert names(run(of, [7, 7])) == ["-", "-"]
    low = Threshold("low", nothing, below=1, clear_above=2)  # type: ignore[arg-type]  # an empty source
    assert names(run(low, [0.5, 1.5, 2])) == ["firing", "firing", "resolved"]


def test_no_data_is_no_change() -> None:
    """Neither well nor broken, for whatever time; a reading is needed to resolve."""
    assert names(run(rule(), [11, None, None, 1])) == ["firing", "firing", "firing", "resolved"]
    assert names(run(rule(for_=30), [11, None, None, 11])) == ["pending", "pending", "pending", "firing"]


@settings(max_examples=150)
@given(
    st.lists(st.none() | st.floats(0, 20), max_size=60),
    st.sampled_from([0.0, 15.0, 45.0]),
    st.sampled_from([0.0, 15.0, 45.0]),
    st.sampled_from([None, 5.0]),
)
def test_what_holds_whatever_is_read(
    values: list[float | None], for_: float, clear_for: float, clear_below: float | None
) -> None:
    """It fires only after it was broken throughout, and is resolved only after it was well throughout."""
    of = Threshold("r", nothing, above=10, for_=for_, clear_for=clear_for, clear_below=clear_below)  # type: ignore[arg-type]  # an empty source
    states = run(of, values)
    well = 10.0 if clear_below is None else clear_below
    for number, held in enumerate(states):
        was = states[number - 1] if number else None
        read = values[number]
        if held is not None and held.state == "firing" and (was is None or was.state != "firing"):
            since = number - round(for_ / 15)
            assert all(value is None or value > 10 for value in values[since : number + 1])
            assert read is not None
        if held is not None and held.state == "resolved" and was is not None and was.state == "firing":
            since = number - round(clear_for / 15)
            assert all(value is None or value <= well for value in values[since : number + 1])
            assert read is not None
        if read is None:
            assert held == was
        # A step knows nothing but the state: whoever goes on from there comes to the same.
        assert held == policy.step(of, {}, read, was, START + number * EVERY)


def test_what_flaps_is_told_seldom() -> None:
    """From the third time within an hour on it has to be well for a quarter of an hour."""
    states = run(rule(), [11, 1] * 40)
    changes = sum(a != b for a, b in zip(names(states), names(states)[1:], strict=False))
    assert changes == 4
    last = states[-1]
    assert last is not None
    assert last.state == "firing"
    assert last.flapping(START + 80 * EVERY)
    calm = run(rule(), [11, 1, 11, 1, 11] + [1] * 62)
    assert names(calm)[-1] == "resolved"
    assert names(calm).count("firing") == 3 + 60


def test_a_rate_of_change_is_judged_by_what_was() -> None:
    """Of nothing that is old enough nothing is known; nor of a share of 0."""
    of = RateOfChange("grows", nothing, by=0.5, within=60)  # type: ignore[arg-type]  # an empty source
    assert policy.change(of, [], 5, START) is None
    assert policy.change(of, [(START - 59 * SECOND, 5)], 10, START) is None
    assert policy.change(of, [(START - 60 * SECOND, 5)], 10, START) == 1.0
    assert policy.change(of, [(START - 121 * SECOND, 5)], 10, START) is None
    assert policy.change(of, [(START - 60 * SECOND, 0)], 10, START) is None
    assert policy.change(of, [(START - 60 * SECOND, 5e-324)], 10, START) is None  # no number that JSON has
    absolute = replace(of, share=False, by=-3)
    assert policy.change(absolute, [(START - 60 * SECOND, 0)], 10, START) == 10
    assert [policy.verdict(absolute, value) for value in (-4, -3, 0)] == ["broken", "well", "well"]
    assert [policy.verdict(of, value) for value in (0.6, 0.5)] == ["broken", "well"]


def test_few_readings_are_kept_whatever_the_pace() -> None:
    """At most some dozens, the oldest old enough."""
    of = RateOfChange("grows", nothing, by=0.5, within=600)  # type: ignore[arg-type]  # an empty source
    kept: list[tuple[int, float]] = []
    for second in range(3000):
        kept = policy.sampled(of, kept, second, START + second * SECOND)
    assert len(kept) <= 62
    assert policy.change(of, kept, 3000.0, START + 3000 * SECOND) == pytest.approx(0.25, abs=0.02)
    assert policy.sampled(of, [(START + SECOND, 1.0)], 2.0, START) == [(START, 2.0)]


def test_absence_is_no_reading_or_none_but_nought() -> None:
    """One alert for all of it."""
    of = Absence("silent", nothing, for_=60, labels={"of": "backup"})  # type: ignore[arg-type]  # an empty source
    for found, value in (([], 1.0), ([({}, 0.0)], 1.0), ([({}, math.nan)], 1.0), ([({}, 0.0), ({"a": "b"}, 2.0)], 0.0)):
        assert policy.readings(of, found, []) == [({"of": "backup"}, value)]


def test_what_a_complete_source_leaves_out_is_well() -> None:
    """An error that somebody resolved is among the new ones no more."""
    of = Threshold("new", errors("new"), above=0)
    held = policy.step(of, {"error": "f"}, 3, None, START)
    assert held is not None
    assert policy.readings(of, [({"error": "g"}, 1)], [held]) == [({"error": "g"}, 1.0), ({"error": "f"}, 0.0)]


def test_what_nobody_reads_is_forgotten_after_a_day() -> None:
    """Its rule, or what it was about, is no more."""
    [held] = run(rule(), [11])
    assert held is not None
    assert policy.forgotten(held, START + policy.DAY - 1) is held
    gone = policy.forgotten(replace(held, told=("mail",)), START + policy.DAY)
    assert (gone.state, gone.over) == ("resolved", False)


@given(st.text(max_size=300), st.dictionaries(st.sampled_from(["a", "value", "b"]), st.text(max_size=50)))
def test_a_summary_is_one_line(text: str, labels: dict[str, str]) -> None:
    """Whatever labels hold; braces of theirs are no blanks."""
    of = Threshold("r", nothing, above=1, summary=text)  # type: ignore[arg-type]  # an empty source
    told = policy.summary(of, labels, 1.5)
    assert told.isprintable()
    assert len(told) <= 1000
    assert policy.summary(replace(of, summary="{a} of {b.__class__} {c}"), {"a": "{value}"}, 2) == (
        "{value} of {b.__class__} {c}"
    )
    numbers = [policy.summary(replace(of, summary="{value}"), {}, value) for value in (0.12345, 9999, 1209600, 1e300)]
    assert numbers == ["0.1235", "9999", "1209600", "1e+300"]


# Who is told


def fired(host: str, at_us: int = START, **more: object) -> Held:
    """An alert that fires."""
    made = policy.step(rule(), {"host": host}, 11, None, at_us)
    assert made is not None
    return replace(made, **more)  # type: ignore[arg-type]  # fields of Held


def kinds(
    *alerts: Held, silences: Sequence[Silence] = (), now_us: int = START, told: int | None = None
) -> list[tuple[str, int]]:
    """What is to be told of these: kinds, and how many alerts in each."""
    gates = {} if told is None else {"firing:warning:r": told}
    found = telling.due(alerts, {"r": ("mail",)}, silences, gates, now_us)
    return [(one.kind, len(one.alerts)) for one in found]


def test_what_comes_together_is_told_together() -> None:
    """The first at once; what follows within thirty seconds waits for the end of them."""
    assert kinds(fired("a"), fired("b")) == [("firing", 2)]
    assert kinds(fired("c"), now_us=START + 29 * SECOND, told=START) == []
    assert kinds(fired("c"), fired("d"), now_us=START + 30 * SECOND, told=START) == [("firing", 2)]
    assert kinds(fired("c"), now_us=START - 5 * SECOND, told=START) == [("firing", 1)]


def test_it_is_told_again_every_four_hours() -> None:
    """Unless somebody looks at it."""
    held = fired("a", told=("mail",), told_us=START)
    assert kinds(held, now_us=START + telling.REPEAT - 1) == []
    assert kinds(held, now_us=START + telling.REPEAT) == [("repeat", 1)]
    assert kinds(telling.acknowledged(held, "ann", START), now_us=START + telling.REPEAT) == []


def test_a_silenced_alert_is_told_when_the_silence_ends() -> None:
    """Only if it fires still; and one that covers other labels, or another rule, hides nothing."""
    until = from_us(START + 100 * SECOND)
    covers = Silence("s", "r", {"host": "a"}, until, until)
    assert kinds(fired("a"), fired("b"), silences=[covers]) == [("firing", 1)]
    assert kinds(fired("a"), silences=[replace(covers, rule="other")]) == [("firing", 1)]
    assert kinds(fired("a"), silences=[replace(covers, rule="")]) == []
    assert kinds(replace(fired("a"), state="resolved")) == []


def test_that_it_is_over_is_told_where_it_was_told_that_it_fires() -> None:
    """Silenced or not, once, to the same channels."""
    over = fired("a", told=("mail", "old"), told_us=START, state="resolved")
    [due] = telling.due([over], {"r": ("mail",)}, [], {}, START)
    assert (due.kind, due.channels) == ("resolved", ("mail", "old"))
    assert kinds(telling.told(due, over, START)) == []


def test_the_same_news_has_the_same_id() -> None:
    """Whoever makes the notification; the next news has another one."""

    def made(*alerts: Held) -> str:
        [due] = telling.due(alerts, {"r": ("mail",)}, [], {}, START)
        return telling.notification(due, "shop", START).id

    assert made(fired("a"), fired("b")) == made(fired("b"), fired("a"))
    again = fired("a", told=("mail",), told_us=START - telling.REPEAT)
    later = fired("a", told=("mail",), told_us=START - 2 * telling.REPEAT)
    assert len({made(fired("a")), made(fired("b")), made(again), made(later), made(fired("a", START - 1))}) == 5


def test_of_many_alerts_some_are_named() -> None:
    """And the number of the others is told."""
    [due] = telling.due([fired(f"h{number}") for number in range(30)], {"r": ("mail",)}, [], {}, START)
    told = telling.notification(due, "shop", START)
    assert (len(told.alerts), told.note, told.title) == (20, "and 10 more", "[warning] shop: r (30)")
