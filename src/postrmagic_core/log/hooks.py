"""What the interpreter prints by itself, exceptions that nobody caught and warnings, goes the way of every record."""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .._lifecycle import after_fork

logger = logging.getLogger("postrmagic_core.log")
warned = logging.getLogger("py.warnings")


class _Muted:
    """Standard error that the thread which made it cannot write to; the others can, the log's among them."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._thread = threading.get_ident()

    def write(self, text: str) -> int:
        return len(text) if threading.get_ident() == self._thread else int(self._stream.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Hooks:
    """From :meth:`open` to :meth:`close` an exception of a thread, of ``__del__`` or of the program is a record.

    A hook that somebody else had put there is called too: an error tracker's, a test's. What it prints is swallowed:
    that is not redacted. :class:`KeyboardInterrupt` stays the interpreter's.
    """

    def __init__(self) -> None:
        self._open = False
        self._undo: list[Callable[[], None]] = []
        self._begin()
        after_fork(self._begin)

    def open(self) -> None:
        """Take them over."""
        self._open = True
        self._take(sys, "excepthook", sys.__excepthook__, self._uncaught)
        self._take(threading, "excepthook", threading.__excepthook__, self._in_thread)
        self._take(sys, "unraisablehook", sys.__unraisablehook__, self._unraisable)
        self._take(warnings, "showwarning", warnings.showwarning, self._warning)

    def close(self) -> None:
        """Put back what was there; a hook that has been put over ours stays, and ours passes on."""
        self._open = False
        while self._undo:
            self._undo.pop()()

    def _take(self, module: Any, name: str, default: object, ours: Callable[..., None]) -> None:
        before = getattr(module, name)
        others = before if before is not default else None

        def hook(*given: Any) -> None:
            if not self._open:
                before(*given)
                return
            try:
                ours(others, before, *given)
            except Exception:  # the interpreter may be half taken down
                before(*given)

        setattr(module, name, hook)

        def undo() -> None:
            if getattr(module, name) is hook:
                setattr(module, name, before)

        self._undo.append(undo)

    def _begin(self) -> None:
        self._muting = threading.RLock()

    def _tell(self, others: Callable[..., object] | None, *given: Any) -> None:
        if others is None:
            return
        with self._muting:
            before = sys.stderr
            muted: Any = _Muted(before)
            sys.stderr = muted
            try:
                others(*given)
            finally:
                if sys.stderr is muted:
                    sys.stderr = before

    def _uncaught(self, others: Any, before: Any, kind: Any, error: BaseException, tb: Any) -> None:
        if issubclass(kind, KeyboardInterrupt):
            before(kind, error, tb)
            return
        logger.critical("uncaught exception", exc_info=(kind, error, tb))
        self._tell(others, kind, error, tb)

    def _in_thread(self, others: Any, before: Any, given: threading.ExceptHookArgs) -> None:
        if given.exc_type is SystemExit or given.exc_value is None:
            before(given)
            return
        name = given.thread.name if given.thread is not None else ""
        told = (given.exc_type, given.exc_value, given.exc_traceback)
        logger.error("uncaught exception in a thread", exc_info=told, extra={"thread_name": name})
        self._tell(others, given)

    def _unraisable(self, others: Any, before: Any, given: Any) -> None:
        if given.exc_value is None:
            before(given)
            return
        where = getattr(given.object, "__qualname__", None) or type(given.object).__qualname__
        told = (given.exc_type, given.exc_value, given.exc_traceback)
        logger.error("exception ignored", exc_info=told, extra={"where": where, "why": given.err_msg})
        self._tell(others, given)

    def _warning(self, others: Any, before: Any, *given: Any) -> None:
        message, category, filename, lineno, *rest = given
        if rest and rest[0] is not None:  # to a file that the caller has chosen
            before(*given)
            return
        with suppress(Exception):
            where = {"category": category.__name__, "file": filename, "line": lineno}
            warned.warning("%s", message, extra=where)
