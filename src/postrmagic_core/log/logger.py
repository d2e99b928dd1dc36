"""What application code holds: loggers with bound fields, and the context that follows a request or a job."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import Any

import structlog
from structlog.contextvars import STRUCTLOG_KEY_PREFIX, bind_contextvars, get_contextvars, unbind_contextvars

from .policy import is_secret_name, scrub
from .records import FIELDS

_SHORT = 200
_RECORD = logging.LogRecord


class Logger(structlog.BoundLoggerBase):
    """structlog's bound logger over the standard library's: ``log.info("uploaded", media_id=7)``.

    ``bind``, ``unbind`` and ``new`` are structlog's. The event is a constant; what varies goes into fields. Positional
    arguments are ``%``-formatted as in the standard library. Levels are those of the standard library's loggers.
    """

    _logger: logging.Logger

    def debug(self, event: str, *args: Any, **fields: Any) -> None:
        """What only a developer wants to see."""
        self._send(logging.DEBUG, event, args, fields)

    def info(self, event: str, *args: Any, **fields: Any) -> None:
        """What happened, as planned."""
        self._send(logging.INFO, event, args, fields)

    def warning(self, event: str, *args: Any, **fields: Any) -> None:
        """What should be looked at some day."""
        self._send(logging.WARNING, event, args, fields)

    def error(self, event: str, *args: Any, **fields: Any) -> None:
        """What failed."""
        self._send(logging.ERROR, event, args, fields)

    def critical(self, event: str, *args: Any, **fields: Any) -> None:
        """What must be looked at now."""
        self._send(logging.CRITICAL, event, args, fields)

    def exception(self, event: str, *args: Any, **fields: Any) -> None:
        """:meth:`error` with the exception being handled."""
        self._send(logging.ERROR, event, args, {"exc_info": True, **fields})

    def log(self, level: int, event: str, *args: Any, **fields: Any) -> None:
        """Any level, as a number of :mod:`logging`."""
        self._send(level, event, args, fields)

    def _send(self, level: int, event: str, args: tuple[Any, ...], fields: dict[str, Any]) -> None:
        logger = self._logger
        if not logger.isEnabledFor(level):
            return
        error = _exc_info(fields.pop("exc_info")) if "exc_info" in fields else None
        own = {**self._context, **fields} if self._context else fields
        handler = only_hearer.of(logger, level) if error is None else None
        if handler is not None:
            handler.tell(level, logger.name, event, args, own)
        else:
            logger.handle(logger.makeRecord(logger.name, level, "", 0, event, args, error, extra={FIELDS: own}))


class _OnlyHearer:
    """The handler that :func:`configure` installed, for loggers that no other handler or filter hears.

    It then needs no record of the standard library, which takes as long to make and to pass around as all the rest.
    """

    handler: Any = None

    def of(self, logger: logging.Logger, level: int) -> Any:
        """That handler, or ``None`` where anybody else would miss a record, or want to change it."""
        handler = self.handler
        if handler is None or logger.disabled or logger.filters or logging.getLogRecordFactory() is not _RECORD:
            return None
        current = logger
        while current.parent is not None:
            if current.handlers or not current.propagate:
                return None
            current = current.parent
        alone = current.handlers == [handler] and not handler.filters and level >= handler.level
        return handler if alone else None


only_hearer = _OnlyHearer()


def _exc_info(given: Any) -> Any:
    if isinstance(given, BaseException):
        return (type(given), given, given.__traceback__)
    return given if isinstance(given, tuple) else sys.exc_info() if given else None


def get_logger(name: str) -> Logger:
    """The logger ``name``, usually ``__name__``. Before :func:`configure` it does what the standard library does."""
    return Logger(logging.getLogger(name), [], {})


@contextmanager
def bind(**context: Any) -> Iterator[None]:
    """``with bind(request_id=…, job_id=…):`` every record made inside carries these fields, third parties' too.

    Kept in context variables: tasks started inside inherit them, other requests and threads do not. The former values
    come back at the end; no token is held, so that it may also span the ``yield`` of a generator.
    """
    before = get_contextvars()
    put_context(**context)
    try:
        yield
    finally:
        drop_context(*(name for name in context if name not in before))
        put_context(**{name: before[name] for name in context if name in before})


def carried() -> dict[str, str]:
    """Of the present context, what a job or an event takes along from here: the short texts among the fields.

    It is kept in a database: no secret, by its name or its look, goes along.
    """
    short = {name: value for name, value in get_contextvars().items() if isinstance(value, str)}
    return {name: scrub(value) for name, value in short.items() if len(value) <= _SHORT and not is_secret_name(name)}


def put_context(**context: Any) -> None:
    """Add ``context`` to the present context for good: for callers whose context ends by itself, as a request's."""
    bind_contextvars(**context)
    _begin_following()


def _begin_following() -> None:
    """Where records are sampled, the request or job whose context this is begins to be followed."""
    handler = only_hearer.handler
    if handler is not None and handler.sampler is not None:
        handler.sampler.begin()


class ContextField:
    """One field of the context, for who puts and drops it with each request: in a quarter of the time.

    As :func:`put_context` and :func:`drop_context` do it; structlog's functions see it too.
    """

    __slots__ = ("_name", "_variable")

    def __init__(self, name: str) -> None:
        self._name = name
        self._variable: ContextVar[Any] | None = None

    def put(self, value: Any) -> None:
        """Add the field to the present context, or change it."""
        if self._variable is None:
            bind_contextvars(**{self._name: value})
            named = STRUCTLOG_KEY_PREFIX + self._name
            self._variable = next(variable for variable in copy_context() if variable.name == named)
        else:
            self._variable.set(value)
        _begin_following()

    def drop(self) -> None:
        """Take it out of the present context."""
        if self._variable is not None:
            self._variable.set(Ellipsis)  # what structlog takes for nothing


def drop_context(*names: str) -> None:
    """Take ``names`` out of the present context."""
    unbind_contextvars(*names)
