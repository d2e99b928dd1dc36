"""What our loggers are told reaches the line without a record of the standard library, where nobody else would hear it.

pytest listens at the root: here it is set aside, as in an application.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from postrmagic_core.log import bind, configure, get_logger
from postrmagic_core.log.logger import only_hearer

FIELDS: list[dict[str, Any]] = [
    {},
    {"media_id": 7, "ratio": 0.5, "whole": True, "none": None, "name": "Café"},
    {"password": "hunter2", "pin": 1234, "token": None, "secret": True},
    {"url": "https://user:pass@example.org/", "text": "Bearer abcdefghijkl", "long": "x" * 9000},
    {"level": "forged", "logger": "forged", "ts": "forged", "event_": "kept"},
    {"nested": {"password": "hunter2", "fine": [1, 2]}, "bytes": b"abc", "big": 2**70, "nan": float("nan")},
]


@contextmanager
def alone() -> Iterator[io.StringIO]:
    """Where lines go; the configuration's handler is the only one."""
    root, stream = logging.getLogger(), io.StringIO()
    before, root.handlers = root.handlers, []
    try:
        with configure(format="json", stream=stream, service="shop"):
            yield stream
    finally:
        root.handlers = before


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """What was written, without the instants."""
    return [{**json.loads(line), "ts": "now"} for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize("fields", FIELDS)
def test_the_line_is_that_of_a_record(fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Field for field, secrets masked alike; with context and arguments."""
    log = get_logger("shop.alone")
    with alone() as stream, bind(request_id="r1"):
        monkeypatch.setattr(logging.Logger, "handle", None)
        log.warning("%s of %d", "first", 2, **fields)
        monkeypatch.undo()
        monkeypatch.setattr(logging.getLogger("shop"), "handlers", [logging.NullHandler()])
        log.warning("%s of %d", "first", 2, **fields)
    short, long = lines(stream)
    assert short == long
    assert "hunter2" not in stream.getvalue()


OTHERS = ("filter", "handler", "own", "factory", "disabled", "propagate", "filter of the handler")


@pytest.mark.parametrize("who", OTHERS)
def test_whoever_else_listens_gets_the_record(who: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter, another handler, a factory: then a record is made, as ever."""
    logger = logging.getLogger("shop.alone")
    with alone():
        assert only_hearer.of(logger, logging.INFO) is not None
        plant(who, logger, monkeypatch)
        try:
            assert only_hearer.of(logger, logging.INFO) is None
        finally:
            logging.setLogRecordFactory(logging.LogRecord)


def plant(who: str, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let somebody else hear the logger, or change what it says."""
    if who == "filter":
        monkeypatch.setattr(logger, "filters", [lambda record: True])
    elif who == "handler":
        monkeypatch.setattr(logging.getLogger("shop"), "handlers", [logging.NullHandler()])
    elif who == "own":
        monkeypatch.setattr(logger, "handlers", [logging.NullHandler()])
    elif who == "factory":
        logging.setLogRecordFactory(lambda *given, **named: logging.LogRecord(*given, **named))
    elif who == "disabled":
        monkeypatch.setattr(logger, "disabled", True)
    elif who == "propagate":
        monkeypatch.setattr(logger, "propagate", False)
    else:
        monkeypatch.setattr(logging.getLogger().handlers[0], "filters", [lambda record: True])


def test_an_exception_goes_the_long_way() -> None:
    """With its traceback."""
    with alone() as stream:
        try:
            raise LookupError("broken")
        except LookupError:
            get_logger("shop.alone").exception("failed", n=1)
    (line,) = lines(stream)
    assert line["exception"]["type"] == "LookupError"
    assert line["n"] == 1


def test_levels_hold() -> None:
    """What is too low is not written."""
    with alone() as stream:
        get_logger("shop.alone").debug("no")
        get_logger("shop.alone").info("yes")
    assert [line["event"] for line in lines(stream)] == ["yes"]


def test_after_the_configuration_nobody_is_alone() -> None:
    """Its handler is gone."""
    with configure(format="json", stream=io.StringIO()):
        pass
    assert only_hearer.handler is None
