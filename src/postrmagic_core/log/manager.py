"""One configuration for the whole process: every record, whoever makes it, takes the same chain."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TextIO

import structlog
from structlog.typing import EventDict

from .._metrics import Metrics
from ..errors import ConfigurationError
from .adapters.file import FileSink
from .adapters.stream import StreamSink
from .interface import Sink
from .logger import Logger, only_hearer
from .policy import Redactor
from .records import Told, to_event
from .render import Render, console, render_json

Format = Literal["auto", "json", "console"]

# What these tell at INFO (each migration step, each pool, each start of a worker) is for who develops them.
_TALKATIVE = ("alembic", "dramatiq", "sqlalchemy", "postrmagic_core._sql", "uvicorn", "asyncio", "PIL")


@dataclass(frozen=True)
class _Plan:
    """What was asked for; equal plans may share a configuration."""

    level: str | int
    format: Format
    file: Path | None
    redact: frozenset[str]
    service: str
    stream: TextIO | None


class LogHandle:
    """A configuration of logging that holds until :meth:`close`, also as ``with configure(…):``."""

    metrics: Metrics

    def __init__(self, installed: _Installed) -> None:
        self._installed: _Installed | None = installed
        self.metrics = installed.funnel.metrics

    @property
    def dropped(self) -> int:
        """Records that could not be written since the configuration began."""
        return self.metrics.counter("log_dropped_total").value

    def close(self) -> None:
        """Put back what was there before; of handles that share a configuration, the last one does."""
        installed, self._installed = self._installed, None
        if installed is not None:
            installed.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


def configure(
    *,
    level: str | int = "INFO",
    format: Format = "auto",
    file: str | Path | None = None,
    redact: Sequence[str] = (),
    service: str = "",
    stream: TextIO | None = None,
    metrics: Metrics | None = None,
) -> LogHandle:
    """Send every record of the process, redacted, to ``file`` or ``stream`` (default: standard error).

    ``format="auto"`` is console on a terminal and JSON elsewhere, files included; ``redact`` names further keys to
    mask; ``service`` is a field of every record. Handlers on standard library loggers that print are set aside until
    the handle is closed, so that nothing passes by the redaction; structlog's own loggers are routed here too, unless
    the application configured structlog itself. Call it once: an equal second call shares the configuration, a
    different one raises :class:`ConfigurationError`, as does a file that cannot be opened or an unknown level. Some
    libraries are kept to WARNING, unless ``level`` is DEBUG or the application gave their logger a level.
    """
    where = Path(file).absolute() if file is not None else None
    plan = _Plan(level, format, where, frozenset(redact), service, stream)
    with _Installed.lock:
        present = _Installed.present
        if present is None:
            present = _Installed.present = _Installed(plan, _funnel(plan, metrics or Metrics()))
        elif present.plan != plan:
            raise ConfigurationError(
                f"logging is already configured ({_difference(present.plan, plan)}): close() the first handle before"
            )
        present.handles += 1
        return LogHandle(present)


def is_configured() -> bool:
    """Whether a configuration of this process holds now."""
    return _Installed.present is not None


def _difference(present: _Plan, asked: _Plan) -> str:
    names = [name for name in vars(asked) if getattr(asked, name) != getattr(present, name)]
    return "; ".join(f"{name} is {getattr(present, name)!r}, asked {getattr(asked, name)!r}" for name in names)


def _funnel(plan: _Plan, metrics: Metrics) -> _Funnel:
    try:
        sink: Sink = FileSink(plan.file) if plan.file is not None else StreamSink(plan.stream)
    except OSError as error:
        raise ConfigurationError(f"the log file {plan.file} cannot be opened: {error.strerror}") from error
    terminal = plan.file is None and bool(getattr(plan.stream or sys.stderr, "isatty", lambda: False)())
    people = plan.format == "console" or (plan.format == "auto" and terminal)
    return _Funnel(
        sink, console(colour=terminal) if people else render_json, Redactor(plan.redact), plan.service, metrics
    )


class _Funnel(logging.Handler):
    """The one handler: record, event, redaction, line, sink. Nothing that goes wrong here reaches the caller."""

    def __init__(self, sink: Sink, render: Render, redactor: Redactor, service: str, metrics: Metrics) -> None:
        super().__init__()
        self.metrics = metrics
        self._sink = sink
        self._render = render
        self._redactor = redactor
        self._service = {"service": service} if service else {}
        self._lines = metrics.counter("log_lines_total")
        self._dropped = metrics.counter("log_dropped_total")
        self._missed = 0
        self._busy = threading.local()

    def handle(self, record: logging.LogRecord) -> bool:
        """As the standard library's, without its lock: a ``__repr__`` that waits for a logging thread must not hang."""
        passed = bool(self.filter(record))
        if passed:
            self.emit(record)
        return passed

    def emit(self, record: logging.LogRecord | Told) -> None:
        """Write ``record``. One made while another is being written in this thread is dropped and counted."""
        if getattr(self._busy, "now", False):
            self._dropped.add()
            return
        self._busy.now = True
        try:
            self._write(self._line(record))
        except Exception as error:  # logging must never be what breaks the application
            self._failed(error)
        finally:
            self._busy.now = False

    def _line(self, record: logging.LogRecord | Told) -> str:
        try:
            event: EventDict = {**to_event(record, self._redactor), **self._service}
            return self._render(self._redactor.clean(event))
        except Exception as error:  # the record is hostile; that it was made is still told
            level = record.level if isinstance(record, Told) else record.levelname
            return self._render({"level": level.lower(), "event": f"unwritable record: {type(error).__name__}"})

    def _write(self, line: str) -> None:
        if self._missed:
            told = {"level": "warning", "event": "log output resumed", "dropped": self._missed}
            self._sink.write(self._render(told))
            self._missed = 0
        self._sink.write(line)
        self._lines.add()

    def _failed(self, error: Exception) -> None:
        self._dropped.add()
        self._missed += 1
        if self._missed == 1 and sys.stderr is not None:
            reason = getattr(error, "strerror", None) or type(error).__name__
            with suppress(Exception):  # there is nowhere left to say it; the counter knows
                sys.stderr.write(f"postrmagic_core.log: output failed ({reason}); dropping records until it heals\n")

    def close(self) -> None:
        """Close the sink."""
        super().close()
        self._sink.close()


class _Installed:
    """What :func:`configure` changed in the process, and how to put it back."""

    lock = threading.Lock()
    present: _Installed | None = None

    def __init__(self, plan: _Plan, funnel: _Funnel) -> None:
        self.plan = plan
        self.funnel = funnel
        self.handles = 0
        self._undo: list[Callable[[], object]] = []
        root = logging.getLogger()
        self._undo.append(partial(root.setLevel, root.level))
        try:
            root.setLevel(plan.level)
        except (ValueError, TypeError):
            funnel.close()
            raise ConfigurationError(f"unknown log level {plan.level!r}: expected DEBUG, INFO, WARNING, …") from None
        if logging.DEBUG < root.level < logging.WARNING:
            self._quieten(_TALKATIVE)
        for logger in [root, *logging.root.manager.loggerDict.values()]:
            if isinstance(logger, logging.Logger):
                self._set_aside(logger)
        root.addHandler(funnel)
        self._undo.append(partial(root.removeHandler, funnel))
        only_hearer.handler = funnel
        self._undo.append(partial(setattr, only_hearer, "handler", None))
        self._route_structlog()

    def release(self) -> None:
        """One handle less; the last one puts everything back."""
        with _Installed.lock:
            self.handles -= 1
            if self.handles:
                return
            _Installed.present = None
            for undo in reversed(self._undo):
                undo()
            self.funnel.close()

    def _quieten(self, names: Sequence[str]) -> None:
        for logger in (logging.getLogger(name) for name in names):
            if logger.level == logging.NOTSET:
                logger.setLevel(logging.WARNING)
                self._undo.append(partial(logger.setLevel, logging.NOTSET))

    def _set_aside(self, logger: logging.Logger) -> None:
        printing = [handler for handler in logger.handlers if _prints(handler)]
        for handler in printing:
            logger.removeHandler(handler)
            self._undo.append(partial(logger.addHandler, handler))
        if printing and not logger.propagate:
            logger.propagate = True
            self._undo.append(partial(setattr, logger, "propagate", False))

    def _route_structlog(self) -> None:
        if structlog.is_configured():
            return
        structlog.configure(
            processors=[],
            wrapper_class=Logger,
            logger_factory=structlog.stdlib.LoggerFactory(),
            cache_logger_on_first_use=False,
        )
        self._undo.append(structlog.reset_defaults)


def _prints(handler: logging.Handler) -> bool:
    """Whether a handler writes to a file or terminal, past the redaction; one that collects in memory stays."""
    stream: Any = getattr(handler, "stream", None)
    if not isinstance(handler, logging.StreamHandler):
        return False
    try:
        return stream is None or stream in (sys.stderr, sys.stdout) or stream.fileno() >= 0
    except (OSError, ValueError, AttributeError):
        return False
