"""From a standard library record to an event: the first half of the chain that every record takes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
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


def to_event(record: logging.LogRecord, redactor: Redactor) -> EventDict:
    """``ts`` (UTC, ISO 8601), ``level``, ``logger``, ``event``, then context, fields, ``extra=``, ``exception``.

    A field that takes one of these names is kept under ``extra_<name>``: nobody forges a record's level or logger.
    """
    instant = from_us(int(record.created * 1_000_000))
    event: EventDict = {
        "ts": instant.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": _message(record, redactor),
    }
    given = {**get_contextvars(), **_fields(record)}
    event.update({f"extra_{name}" if name in _OURS else name: value for name, value in given.items()})
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    if error is not None:
        event["exception"] = describe(error)
    if record.stack_info:
        event["stack"] = str(record.stack_info).splitlines()
    return event


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    own = getattr(record, FIELDS, None)
    extra = {name: value for name, value in vars(record).items() if name not in _STANDARD and name != FIELDS}
    return {**extra, **own} if isinstance(own, dict) else extra


def _message(record: logging.LogRecord, redactor: Redactor) -> str:
    message = record.msg if isinstance(record.msg, str) else f"[{type(record.msg).__name__}]"
    try:
        if not isinstance(record.msg, str):
            message = str(record.msg)
        if not record.args:
            return message
        if isinstance(record.args, Mapping):
            return str(message % redactor.argument(record.args))
        return message % tuple(redactor.argument(argument) for argument in record.args)
    except Exception as failure:  # wrong arguments or a __str__ that raises: the record is still worth keeping
        return f"{message} [unformatted: {type(failure).__name__}]"
