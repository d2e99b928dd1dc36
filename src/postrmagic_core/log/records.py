"""What was told, from a record of the standard library or by a logger of ours, and the event it becomes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from structlog.contextvars import STRUCTLOG_KEY_PREFIX
from structlog.typing import EventDict

from .._clock import from_us
from .policy import Redactor
from .tracebacks import describe

# What a record has of its own; anything else was put there by `extra=`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
OURS = frozenset({"ts", "level", "logger", "service", "release", "event", "exception"})
FIELDS = "postrmagic_fields"
# Of the attributes of a record with these fields and nothing else.
_NUMBER = len(vars(logging.makeLogRecord({FIELDS: {}})))
_VARIABLES = 1000


@dataclass(slots=True)
class Told:
    """One record: ``given`` is the context and the fields, ``event`` what the message is made of with ``args``."""

    created: float
    level: int
    level_name: str
    logger: str
    event: object
    args: Any
    given: dict[str, Any]
    error: BaseException | None = None
    stack: str | None = None


def told_by(record: logging.LogRecord) -> Told:
    """What a record of the standard library tells."""
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    name, given = record.levelname, {**context(), **_fields(record)}
    stack = record.stack_info
    return Told(record.created, record.levelno, name, record.name, record.msg, record.args, given, error, stack)


def to_event(told: Told, redactor: Redactor) -> EventDict:
    """``ts`` (UTC, ISO 8601), ``level``, ``logger``, ``event``, then context, fields, ``extra=``, ``exception``.

    A field that takes one of these names is kept under ``extra_<name>``: nobody forges a record's level or logger.
    """
    event: EventDict = {
        "ts": instant(told.created),
        "level": told.level_name.lower(),
        "logger": told.logger,
        "event": _message(told.event, told.args, redactor),
    }
    event.update((f"extra_{name}" if name in OURS else name, value) for name, value in told.given.items())
    if told.error is not None:
        event["exception"] = describe(told.error)
    if told.stack:
        event["stack"] = str(told.stack).splitlines()
    return event


def template(event: object) -> str:
    """What is the same of all records that one call makes, at most 200 characters of it."""
    return event[:200] if isinstance(event, str) else f"[{type(event).__name__}]"


def instant(seconds: float) -> str:
    """Seconds since the epoch as ISO 8601, UTC, to the microsecond."""
    whole, rest = divmod(int(seconds * 1_000_000), 1_000_000)
    return f"{second(whole)}.{rest:06d}Z"


@lru_cache(maxsize=4)
def second(whole: int) -> str:
    """A second in ISO 8601; many records are of one."""
    return from_us(whole * 1_000_000).strftime("%Y-%m-%dT%H:%M:%S")


def context() -> dict[str, Any]:
    """What ``structlog.contextvars`` holds now, at half of its price: the names of its variables are remembered."""
    found = {}
    names = _names
    for variable, value in copy_context().items():
        name = names.get(variable)
        if name is None:
            name = _name_of(variable)
        if name and value is not Ellipsis:
            found[name] = value
    return found


_names: dict[ContextVar[Any], str] = {}


def _name_of(variable: ContextVar[Any]) -> str:
    """What the variable is called in the log; nothing, if it is not structlog's."""
    if len(_names) >= _VARIABLES:  # whoever makes them by the request
        _names.clear()
    prefixed = variable.name.startswith(STRUCTLOG_KEY_PREFIX)
    name = _names[variable] = variable.name[len(STRUCTLOG_KEY_PREFIX) :] if prefixed else ""
    return name


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
