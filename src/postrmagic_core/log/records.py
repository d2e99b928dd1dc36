"""From a standard library record to an event: the first half of the chain that every record takes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from structlog.contextvars import get_contextvars
from structlog.typing import EventDict

from .._clock import from_us
from .policy import Redactor
from .tracebacks import describe

# What a record has of its own; anything else was put there by `extra=`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_OURS = frozenset({"ts", "level", "logger", "service", "event", "exception"})
FIELDS = "postrmagic_fields"
# Of the attributes of a record with these fields and nothing else.
_NUMBER = len(vars(logging.makeLogRecord({FIELDS: {}})))


@dataclass(frozen=True, slots=True)
class Told:
    """What a logger of ours was told, where no record of it is made: nobody else would hear it."""

    created: float
    level: str
    logger: str
    event: str
    args: tuple[Any, ...]
    fields: dict[str, Any]


def to_event(record: logging.LogRecord | Told, redactor: Redactor) -> EventDict:
    """``ts`` (UTC, ISO 8601), ``level``, ``logger``, ``event``, then context, fields, ``extra=``, ``exception``.

    A field that takes one of these names is kept under ``extra_<name>``: nobody forges a record's level or logger.
    """
    if isinstance(record, Told):
        message = _message(record.event, record.args, redactor)
        return _event(record.created, record.level, record.logger, message, record.fields)
    message = _message(record.msg, record.args, redactor)
    event = _event(record.created, record.levelname, record.name, message, _fields(record))
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    if error is not None:
        event["exception"] = describe(error)
    if record.stack_info:
        event["stack"] = str(record.stack_info).splitlines()
    return event


def _event(created: float, level: str, logger: str, message: str, fields: dict[str, Any]) -> EventDict:
    event: EventDict = {"ts": _instant(created), "level": level.lower(), "logger": logger, "event": message}
    given = {**get_contextvars(), **fields}
    if not _OURS.isdisjoint(given):
        given = {f"extra_{name}" if name in _OURS else name: value for name, value in given.items()}
    event.update(given)
    return event


def _instant(seconds: float) -> str:
    microseconds = int(seconds * 1_000_000)
    whole, rest = divmod(microseconds, 1_000_000)
    return f"{_second(whole)}.{rest:06d}Z"


@lru_cache(maxsize=4)
def _second(whole: int) -> str:
    """A second in ISO 8601; many records are of one."""
    return from_us(whole * 1_000_000).strftime("%Y-%m-%dT%H:%M:%S")


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    own = getattr(record, FIELDS, None)
    if isinstance(own, dict) and len(vars(record)) == _NUMBER:
        return own
    extra = {name: value for name, value in vars(record).items() if name not in _STANDARD and name != FIELDS}
    return {**extra, **own} if isinstance(own, dict) else extra


def _message(given: object, args: Any, redactor: Redactor) -> str:
    message = given if isinstance(given, str) else f"[{type(given).__name__}]"
    try:
        if not isinstance(given, str):
            message = str(given)
        if not args:
            return message
        if isinstance(args, Mapping):
            return str(message % redactor.argument(args))
        return message % tuple(redactor.argument(argument) for argument in args)
    except Exception as failure:  # wrong arguments or a __str__ that raises: the record is still worth keeping
        return f"{message} [unformatted: {type(failure).__name__}]"
