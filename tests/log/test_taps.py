"""Whoever counts errors hears each of them once, redacted, and hurts nobody."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from postrmagic_core.log import get_logger

log = get_logger("tests.taps")


class Heard:
    """A tap that keeps what it hears."""

    def __init__(self) -> None:
        self.events: list[tuple[Mapping[str, Any], BaseException | None]] = []

    def __call__(self, event: Mapping[str, Any], error: BaseException | None) -> None:
        self.events.append((event, error))


def test_a_tap_hears_errors_in_plain_values(configured: Callable[..., Any]) -> None:
    """From ERROR on, of every logger, with the exception; what it hears is what is written."""
    written, handle = configured(repeats=1, service="shop")
    heard = Heard()
    remove = handle.tap(heard)
    log.warning("no")
    for _ in range(2):
        log.error("failed", password="x", media_id=7)
    error = LookupError("token=abc")
    logging.getLogger("other").error("broken", exc_info=error)
    assert [caught for _, caught in heard.events] == [None, None, error]
    assert [json.loads(json.dumps(event)) for event, _ in heard.events] == written.events[1:]
    assert heard.events[2][0]["exception"]["message"] == "token=[redacted]"
    assert heard.events[0][0]["service"] == "shop"
    remove()
    remove()
    log.error("unheard")
    assert len(heard.events) == 3
    handle.close()
    handle.tap(heard)()


def test_a_tap_that_fails_is_counted(configured: Callable[..., Any]) -> None:
    """The record is written, and the other taps hear it."""

    def failing(event: Mapping[str, Any], error: BaseException | None) -> None:
        raise ValueError("no")

    written, handle = configured()
    heard = Heard()
    handle.tap(failing)
    handle.tap(heard)
    log.error("failed")
    assert written.last["event"] == "failed"
    assert len(heard.events) == 1
    assert handle.metrics.counter("log_tap_errors_total").value == 1


def test_a_tap_that_logs_an_error_does_not_hear_itself(configured: Callable[..., Any]) -> None:
    """What it logs is written, without values; nothing goes on for ever."""

    def talking(event: Mapping[str, Any], error: BaseException | None) -> None:
        log.error("the tap", value=object())
        log.info("dropped", value=object())

    written, handle = configured()
    handle.tap(talking)
    log.error("failed")
    assert [event["event"] for event in written.events] == ["the tap", "failed"]
    assert "value" not in written.events[0]
    assert handle.dropped == 1
