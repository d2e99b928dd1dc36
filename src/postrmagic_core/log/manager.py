"""One configuration for the whole process: every record, whoever makes it, takes the same chain."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TextIO, TypedDict, Unpack

import structlog

from .._clock import SystemClock
from .._errand import Errand
from .._lifecycle import after_fork
from .._metrics import Metrics
from ..errors import ConfigurationError
from .adapters.file import FileSink
from .adapters.stream import StreamSink
from .adapters.tee import Tee
from .aside import Aside
from .chain import Chain, everywhere
from .hooks import Hooks
from .interface import Rotation, Sampling, Sink, Tap
from .levels import Asked, Levels, LevelsFile, level_number
from .logger import Logger, only_hearer
from .policy import Redactor
from .records import OURS, instant
from .render import console, render_json
from .repeats import Repeats
from .sampling import Sampler
from .spool import SPOOL_BYTES, Spool
from .writer import Writer

Format = Literal["auto", "json", "console"]

# What these tell at INFO (each migration step, each pool, each start of a worker) is for who develops them.
_TALKATIVE = ("alembic", "dramatiq", "sqlalchemy", "postrmagic_core._sql", "uvicorn", "asyncio", "PIL")
_BACKLOG = 10_000
_UPKEEP = 1.0


class More(TypedDict, total=False):
    """What few applications tell :func:`configure`.

    ``levels``: by logger another lowest level. ``release``: a field of every record, unless it is empty. ``rotation``:
    when ``file`` is put aside; never by default. ``backlog``: lines that may wait. ``sampling``: of which requests and
    jobs records are kept; all by default. ``repeats``: how often a minute a record of one logger, level and event below
    ERROR is written; then they are counted. ``levels_file``: followed while the process runs. ``sink``: where lines go
    in place of ``file`` and ``stream``; the handle closes it. ``spool``: a directory where the lines are kept as JSON
    too, up to ``spool_bytes`` (256 MiB), for search and forwarding.
    """

    levels: Mapping[str, str | int]
    release: str
    rotation: Rotation | None
    backlog: int
    sampling: Sampling | None
    repeats: int | None
    levels_file: str | Path | None
    sink: Sink | None
    spool: str | Path | None
    spool_bytes: int


@dataclass(frozen=True)
class _Plan:
    """What was asked for; equal plans may share a configuration."""

    level: str | int
    format: Format
    file: Path | None
    redact: frozenset[str]
    service: str
    stream: TextIO | None
    levels: Mapping[str, str | int]
    release: str = ""
    rotation: Rotation | None = None
    backlog: int = _BACKLOG
    sampling: Sampling | None = None
    repeats: int | None = None
    levels_file: Path | None = None
    sink: Sink | None = None
    spool: Path | None = None
    spool_bytes: int = SPOOL_BYTES


class LogHandle:
    """A configuration of logging that holds until :meth:`close`, also as ``with configure(…):``."""

    metrics: Metrics

    def __init__(self, installed: _Installed) -> None:
        self._installed: _Installed | None = installed
        self.metrics = installed.metrics

    @property
    def dropped(self) -> int:
        """Records that could not be written since the configuration began."""
        return self.metrics.counter("log_dropped_total").value

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until every record made before is written; ``False``: after ``timeout`` seconds some are not."""
        return self._installed is None or self._installed.writer.flush(timeout)

    def set_level(self, logger_name: str, level: str | int | None) -> None:
        """Give a logger another lowest level while the configuration holds; ``None``: as it was. The root is ``""``.

        Raises :class:`ConfigurationError` for a level that nobody knows.
        """
        number = None if level is None else level_number(level)
        if self._installed is not None:
            self._installed.levels.set(logger_name, number)

    def tap(self, tap: Tap) -> Callable[[], None]:
        """Call ``tap`` with every record from ERROR on, redacted, until what is returned is called, or the end."""
        return (lambda: None) if self._installed is None else self._installed.chain.taps.add(tap)

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
    **more: Unpack[More],
) -> LogHandle:
    """Send every record of the process, redacted, to ``file`` or ``stream`` (default: standard error).

    A thread writes; a caller never waits for it, unless it logs errors faster than they can be written. ``format``:
    ``auto`` is console on a terminal and JSON elsewhere, files included; ``redact`` names further keys to mask;
    ``service`` is a field of every record; ``more``: see :class:`More`. Handlers on standard library loggers that print
    or send are set aside until the handle is closed, also those that come later: nothing passes by the redaction. So
    are the interpreter's prints of uncaught exceptions and warnings. structlog's own loggers are routed here too,
    unless the application configured structlog itself. Call it once: an equal second call shares the configuration, a
    different one raises :class:`ConfigurationError`, as does a file that cannot be opened or an unknown level. Some
    libraries are kept to WARNING, unless ``level`` is DEBUG or somebody gave their logger a level.
    """
    given: dict[str, Any] = {**more, "levels": dict(more.get("levels", {}))}
    for name in ("levels_file", "spool"):
        if given.get(name) is not None:
            given[name] = Path(given[name]).absolute()
    where = Path(file).absolute() if file is not None else None
    plan = _Plan(level, format, where, frozenset(redact), service, stream, **given)
    with _Installed.lock:
        present = _Installed.present
        if present is None:
            _Installed.settle()
            present = _Installed.present = _Installed(plan, metrics or Metrics())
        elif present.plan != plan:
            raise ConfigurationError(
                f"logging is already configured ({_difference(present.plan, plan)}): close() the first handle before"
            )
        present.handles += 1
        return LogHandle(present)


def tap(tap: Tap) -> Callable[[], None]:
    """As :meth:`LogHandle.tap`, whoever configures logging, and when; nobody is heard where it is not configured."""
    return everywhere.add(tap)


def joined() -> LogHandle | None:
    """A further handle on the configuration of this process, which so outlives its first; ``None``: there is none."""
    with _Installed.lock:
        present = _Installed.present
        if present is None:
            return None
        present.handles += 1
        return LogHandle(present)


def is_configured() -> bool:
    """Whether a configuration of this process holds now."""
    return _Installed.present is not None


def _difference(present: _Plan, asked: _Plan) -> str:
    names = [name for name in vars(asked) if getattr(asked, name) != getattr(present, name)]
    return "; ".join(f"{name} is {getattr(present, name)!r}, asked {getattr(asked, name)!r}" for name in names)


def _parts(plan: _Plan, metrics: Metrics) -> tuple[Writer, Chain]:
    try:
        sink = plan.sink or (FileSink(plan.file, plan.rotation) if plan.file is not None else StreamSink(plan.stream))
    except OSError as error:
        raise ConfigurationError(f"the log file {plan.file} cannot be opened: {error.strerror}") from error
    terminal = (
        plan.sink is None and plan.file is None and bool(getattr(plan.stream or sys.stderr, "isatty", lambda: False)())
    )
    people = plan.format == "console" or (plan.format == "auto" and terminal)
    render = console(colour=terminal) if people else render_json
    if plan.spool is not None:
        # Callers make JSON, the cheaper of both; what people see is made of it by the thread that writes.
        look, render = render if people else None, render_json
        sink = Tee(sink, Spool(plan.spool, plan.spool_bytes), metrics, look)
    constants = {name: value for name in ("service", "release") if (value := str(getattr(plan, name)))}

    def notice(told: dict[str, Any]) -> bytes:
        return render({"ts": instant(time.time()), **told, **constants})

    writer = Writer(sink, metrics, backlog=plan.backlog, render_notice=notice)
    return writer, Chain(writer, render, Redactor(plan.redact, OURS), constants, metrics)


class _Installed:
    """What :func:`configure` changed in the process, and how to put it back."""

    lock = threading.Lock()
    present: _Installed | None = None
    unsettled: _Installed | None = None
    """Which one is half in the process now: a fork meanwhile leaves it to the child to put things back."""

    def __init__(self, plan: _Plan, metrics: Metrics) -> None:
        root, levels = level_number(plan.level), {name: level_number(level) for name, level in plan.levels.items()}
        self.plan = plan
        self.metrics = metrics
        self.handles = 0
        self.levels = Levels()
        self.writer, self.chain = _parts(plan, metrics)
        repeats = None if plan.repeats is None else Repeats(plan.repeats, metrics, time.monotonic)
        sampler = None
        if plan.sampling is not None and plan.sampling.share < 1:
            sampler = Sampler(plan.sampling, metrics, self.writer.put, time.monotonic)
        self.chain.leave_out(repeats, sampler)
        self._aside = Aside(self.chain)
        self._file = None if plan.levels_file is None else LevelsFile(plan.levels_file, self.levels, SystemClock())
        self._upkeep = Errand("postrmagic-log-upkeep", self._look_after, logging.getLogger("postrmagic_core.log"))
        self._undo: list[Callable[[], object]] = [self.levels.restore]
        _Installed.unsettled = self
        try:
            self._install({"root": root, **_quiet(root), **levels}, upkeep=repeats is not None)
        except BaseException:
            self._put_back()
            self.writer.close()
            raise
        _Installed.unsettled = None

    def _install(self, levels: dict[str, int], *, upkeep: bool) -> None:
        self.levels.put(Asked.CONFIGURED, levels)
        for part in (self._aside, Hooks()):
            part.open()
            self._undo.append(part.close)
        only_hearer.handler = self.chain
        self._undo.append(partial(setattr, only_hearer, "handler", None))
        self._route_structlog()
        if self._file is not None or upkeep:
            self._upkeep.open()
            self.chain.wake = self._upkeep.ask
            self._look_after()
            with suppress(RuntimeError):  # no thread can be started now; the first record tries again
                self._upkeep.ask()  # a quiet process follows the file, too

    def release(self) -> None:
        """One handle less; the last one puts everything back."""
        with _Installed.lock:
            self.handles -= 1
            if self.handles:
                return
            _Installed.present, _Installed.unsettled = None, self
            self._put_back()
            self.chain.tell_left_out(all_of_them=True)
            self.writer.close()

    def _put_back(self) -> None:
        self._upkeep.close(finish=False)
        while self._undo:
            try:
                self._undo[-1]()
            finally:
                self._undo.pop()
        _Installed.unsettled = None

    @classmethod
    def settle(cls) -> None:
        """In a child that was forked while another thread configured or closed: finish what it was at."""
        if cls.unsettled is not None:
            cls.unsettled._put_back()

    @classmethod
    def unlock(cls) -> None:
        """In a forked child: who held the lock did not come along."""
        cls.lock = threading.Lock()

    def _look_after(self) -> float:
        self._aside.look()
        if self._file is not None:
            self._file.look()
        self.chain.tell_left_out()
        return _UPKEEP

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


after_fork(_Installed.unlock)


def _quiet(root: int) -> dict[str, int]:
    """The loggers that are kept to WARNING, unless somebody gave them a level."""
    if not logging.DEBUG < root < logging.WARNING:
        return {}
    return {name: logging.WARNING for name in _TALKATIVE if logging.getLogger(name).level == logging.NOTSET}
