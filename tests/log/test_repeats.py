"""What is told again and again is written some times a minute, and then counted."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from postrmagic_core._metrics import Metrics
from postrmagic_core.log import get_logger
from postrmagic_core.log.repeats import KEYS, Repeats
from postrmagic_core.testing import FakeClock

log = get_logger("tests.repeats")
plain = logging.getLogger("tests.repeats")


def test_so_many_a_minute_and_the_rest_is_told_later() -> None:
    """The next that passes says how many were left out before it; so does the minute's end."""
    clock, key = FakeClock(), ("shop", 20, "x")
    repeats = Repeats(2, Metrics(), clock.monotonic)
    assert [repeats.admitted(key) for _ in range(5)] == [0, 0, None, None, None]
    clock.advance(59)
    assert (repeats.admitted(key), repeats.over()) == (None, [])
    clock.advance(1)
    assert [repeats.admitted(key) for _ in range(3)] == [4, 0, None]
    clock.advance(60)
    assert repeats.over() == [(key, 1)]
    assert repeats.over() == []
    assert repeats.admitted(key) == 0


def test_keys_are_told_apart_up_to_a_number() -> None:
    """Beyond it all are written: better too many than none. Whose minute is over makes room."""
    clock = FakeClock()
    repeats = Repeats(1, Metrics(), clock.monotonic)
    for number in range(KEYS):
        assert repeats.admitted(("shop", 20, str(number))) == 0
    assert [repeats.admitted(("shop", 20, "more")) for _ in range(2)] == [0, 0]
    assert repeats.admitted(("shop", 20, "1")) is None
    clock.advance(60)
    assert [repeats.admitted(("shop", 20, "more")) for _ in range(2)] == [0, None]
    assert len(repeats._seen) <= KEYS


def test_of_one_call_few_records_are_written(configured: Callable[..., Any]) -> None:
    """By logger, level and event as the call has it, whatever its arguments; errors are, always."""
    written, handle = configured(repeats=2)
    for number in range(5):
        log.info("same", number=number)
        plain.info("user %d came", number)
        log.warning("same", number=number)
        log.error("failed", number=number)
        get_logger("postrmagic_core.security").info("a login failed", number=number)
    told = [(event["level"], event["event"]) for event in written.events]
    assert [told.count(one) for one in (("info", "same"), ("warning", "same"), ("error", "failed"))] == [2, 2, 5]
    assert told.count(("info", "a login failed")) == 5
    assert {event for level, event in told if level == "info"} >= {"user 0 came", "user 1 came"}
    assert handle.metrics.counter("log_repeats_total").value == 9
    handle.close()
    ends = [(event["event"], event["level"], event["repeated"]) for event in written.events if "repeated" in event]
    assert sorted(ends) == [("same", "info", 3), ("same", "warning", 3), ("user %d came", "info", 3)]
