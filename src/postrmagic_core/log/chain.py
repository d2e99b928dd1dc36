"""The chain that every record takes: event, redaction, line, writer. What goes wrong here reaches no caller."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from .._lifecycle import after_fork
from .._metrics import Metrics
from .interface import Tap
from .policy import Redactor, scrub
from .quick import QuickJson
from .records import Told, context, instant, template, to_event, told_by
from .render import Render, render_json
from .repeats import Repeats
from .sampling import Sampler
from .writer import Writer

_ERROR = logging.ERROR
# What these tell is evidence, at any level (OWASP ASVS 16.3).
_EVIDENCE = ("postrmagic_core.security", "postrmagic_core.sessions")


class Taps:
    """Those who hear of errors."""

    def __init__(self) -> None:
        self.all: tuple[Tap, ...] = ()

    def add(self, tap: Tap) -> Callable[[], None]:
        """Have ``tap`` called from now on; what is returned ends that."""
        self.all = (*self.all, tap)

        def remove() -> None:
            self.all = tuple(other for other in self.all if other is not tap)

        return remove


everywhere = Taps()
"""Those who hear of errors under each configuration of the process."""


class Chain(logging.Handler):
    """The one handler. ``constants`` are fields of every record; ``wake`` is called with the first of each process."""

    _awake: bool
    _direct: bool
    _busy: threading.local

    def __init__(
        self, writer: Writer, render: Render, redactor: Redactor, constants: dict[str, str], metrics: Metrics
    ) -> None:
        super().__init__()
        self._writer = writer
        self._render = render
        self._redactor = redactor
        self._constants = constants
        self._quick = QuickJson(redactor, constants).line if render is render_json else None
        self._bare = _bare(render, constants)
        self._unwritable = metrics.counter("log_dropped_total")
        self._tap_errors = metrics.counter("log_tap_errors_total")
        self.taps = Taps()
        self._doze()
        self._repeats: Repeats | None = None
        self.sampler: Sampler | None = None
        self.wake: Callable[[], object] = lambda: None
        after_fork(self._doze)

    def leave_out(self, repeats: Repeats | None, sampler: Sampler | None) -> None:
        """Write no longer everything."""
        self._repeats, self.sampler = repeats, sampler

    def handle(self, record: logging.LogRecord) -> bool:
        """As the standard library's, without its lock: a ``__repr__`` that waits for a logging thread must not hang."""
        passed = bool(self.filter(record))
        if passed:
            self.emit(record)
        return passed

    def emit(self, record: logging.LogRecord) -> None:
        """Write ``record``."""
        try:
            if record.levelno < _ERROR and self._writer.full:
                self._writer.drop()
                return
            told = told_by(record)
        except Exception:  # made by hand, of whatever
            self._give_up(record.levelno)
        else:
            self._take(told)

    def tell(self, level: int, logger: str, event: str, args: tuple[Any, ...], fields: dict[str, Any]) -> None:
        """Write what a logger of ours was told, where no record of it is made: nobody else would hear it."""
        if level < _ERROR and self._writer.full:
            self._writer.drop()
            return
        created, name, given = time.time(), logging.getLevelName(level), context()
        given.update(fields)
        if level < _ERROR and self._quick is not None and self._direct:
            line = self._quick(created, name, logger, event, args, given)
            if line is not None:
                self._writer.put(line, False)
                return
        self._take(Told(created, level, name, logger, event, args, given))

    def _take(self, told: Told) -> None:
        try:
            self._taken(told)
        except Exception:  # logging must never be what breaks the application
            self._give_up(told.level)

    def _give_up(self, level: object) -> None:
        """Count a record that cannot be told; of an error, or what may be one, that there was one still is.

        Near the end of the stack each call may be one too many, and most of this is none.
        """
        if isinstance(level, int) and level < _ERROR:
            self._unwritable.add()
        else:
            before, stamp, after = self._bare
            self._writer.put_bare(before + time.strftime(stamp, time.gmtime()).encode() + after)

    def _taken(self, told: Told) -> None:
        if not self._awake:
            self._awake = True
            self._direct = self._repeats is None and self.sampler is None
            with suppress(RuntimeError):  # no thread can be started
                self.wake()
        level, evidence = told.level, told.logger.startswith(_EVIDENCE)
        if self._repeats is not None and level < _ERROR and not evidence:
            left_out = self._repeats.admitted((told.logger, level, template(told.event)))
            if left_out is None:
                return
            if left_out:
                told.given["repeated"] = left_out
        line = self._line(told)
        if line is None:
            return
        if self.sampler is None or evidence:
            self._writer.put(line, level >= _ERROR)
        else:
            self.sampler.take(line, told)

    def _line(self, told: Told) -> bytes | None:
        if told.level < _ERROR and self._quick is not None and told.error is None and not told.stack:
            line = self._quick(told.created, told.level_name, told.logger, told.event, told.args, told.given)
            if line is not None:
                return line
        if getattr(self._busy, "now", False):
            return self._within(told)
        self._busy.now = True
        try:
            event, line = self._carefully(told)
            if told.level >= _ERROR:
                self._tell_taps(event, told.error)
            return line
        finally:
            self._busy.now = False

    def _carefully(self, told: Told) -> tuple[Mapping[str, Any], bytes]:
        try:
            event = self._redactor.clean({**to_event(told, self._redactor), **self._constants})
            return event, self._render(event)
        except Exception as error:  # the record is hostile; that it was made is still told
            event = {
                "ts": instant(time.time()),
                "level": str(told.level_name).lower(),
                "logger": scrub(str(told.logger)),
                "event": f"unwritable record: {type(error).__name__}",
                **self._constants,
            }
            return event, self._render(event)

    def _within(self, told: Told) -> bytes | None:
        """A record made while another of this thread is being written: by a ``__repr__``, or by a tap.

        To show it could go on for ever. Below ERROR it is dropped, and counted; else it is told without its values.
        """
        if told.level < _ERROR:
            self._unwritable.add()
            return None
        bare = Told(told.created, told.level, told.level_name, told.logger, template(told.event), (), {})
        return self._carefully(bare)[1]

    def _tell_taps(self, event: Mapping[str, Any], error: BaseException | None) -> None:
        for tap in (*self.taps.all, *everywhere.all):
            try:
                tap(event, error)
            except Exception:
                self._tap_errors.add()

    def tell_left_out(self, *, all_of_them: bool = False) -> None:
        """Write how often records were left out as repeats, where their minute is over."""
        if self._repeats is not None:
            for (logger, level, event), left_out in self._repeats.over(all_of_them=all_of_them):
                name = logging.getLevelName(level)
                line = self._line(Told(time.time(), level, name, logger, event, (), {"repeated": left_out}))
                if line is not None:
                    self._writer.put(line, False)

    def flush(self) -> None:
        """Nothing: :func:`logging.shutdown` asks at exit, where the writer has its own way."""

    def close(self) -> None:
        """Nothing but the standard library's part: others close every handler there is (``logging.config``)."""
        with suppress(Exception):
            super().close()

    def _doze(self) -> None:
        # In a new process nothing is begun yet: its first record wakes what runs beside.
        self._awake = self._direct = False
        self._busy = threading.local()


def _bare(render: Render, constants: Mapping[str, str]) -> tuple[bytes, str, bytes]:
    """The line of an error of which nothing can be told: what precedes its time, how that is shown, what follows."""
    mark, stamp = "9999-12-31T23:59:59.000000Z", "%Y-%m-%dT%H:%M:%S.000000Z"
    event = {"ts": mark, "level": "error", "logger": "postrmagic_core.log", "event": "unwritable record", **constants}
    line = render(event)
    if mark.encode() not in line:  # the console shows less of it
        mark, stamp = mark[11:23], "%H:%M:%S.000"
    before, _, after = line.partition(mark.encode())
    return before, stamp, after
