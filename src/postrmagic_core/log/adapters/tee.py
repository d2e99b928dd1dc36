"""Two places for the same lines: the log's own output, and a second one that may fail without anybody's harm."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from ..._lifecycle import after_fork
from ..._metrics import Metrics
from ..emergency import reason, to_stderr
from ..interface import Sink
from ..render import Render
from ..writer import Urgent

_PAUSE: Final = 1.0


class Tee:
    """Writes lines to ``first``, and as they are to ``second``; with a ``look``, JSON is shown by it to ``first``.

    ``first`` alone decides what arrived. What it took, and what it refused, goes to ``second`` once: a line that must
    not be lost and so is given again is there already. Lines that ``second`` refuses are counted,
    ``log_spool_dropped_total``; standard error is told once, and for a second nothing is tried.
    """

    def __init__(self, first: Sink, second: Sink, metrics: Metrics, look: Render | None = None) -> None:
        self._first = first
        self._second = second
        self._look = look
        self._dropped = metrics.counter("log_spool_dropped_total")
        self._ahead: dict[int, bytes] = {}
        """Lines that ``second`` has and ``first`` refused, by identity; the writer holds them as long."""
        self._failing = False
        self._not_before = 0.0
        after_fork(self._forget)

    def write(self, lines: Sequence[bytes]) -> int:
        """Write ``lines`` to both; how many of the first ``first`` took."""
        shown = lines if self._look is None else [_shown(self._look, line) for line in lines]
        try:
            arrived = self._first.write(shown)
        except Exception:
            self._copy(lines)
            self._ahead.update((id(line), line) for line in lines if isinstance(line, Urgent))
            raise
        self._copy(lines[:arrived])
        if self._ahead:
            for line in lines[:arrived]:
                self._ahead.pop(id(line), None)
        return arrived

    def idle(self) -> None:
        """Let both tidy."""
        with suppress(OSError):
            self._second.idle()
        self._first.idle()

    def close(self) -> None:
        """Close both."""
        try:
            self._first.close()
        finally:
            self._second.close()

    def fileno(self) -> int:
        """The descriptor of ``first``; one without raises what it raises."""
        return int(self._first.fileno())  # type: ignore[attr-defined]  # a sink may have none

    def _forget(self) -> None:
        self._ahead = {}  # what waits is the parent's to write

    def _copy(self, lines: Sequence[bytes]) -> None:
        if self._ahead:
            lines = [line for line in lines if id(line) not in self._ahead]
        if not lines:
            return
        arrived = 0
        try:
            if not self._failing or time.monotonic() >= self._not_before:
                while arrived < len(lines):
                    arrived += self._second.write(lines[arrived:])
                self._failing = False
                return
        except Exception as error:  # whatever it is, the log goes on
            if not self._failing:
                told = b"postrmagic_core.log: the spool failed (%s); search and forwarding lack lines until it heals"
                to_stderr([told % reason(error)])
            self._failing, self._not_before = True, time.monotonic() + _PAUSE
        self._dropped.add(len(lines) - arrived)


def _shown(look: Render, line: bytes) -> bytes:
    try:
        event = json.loads(line)
        return look(event) if isinstance(event, dict) else line
    except Exception:  # it is shown as it is, then
        return line
