"""Handlers that print by themselves, past the redaction: they are kept away from their loggers for a while."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable
from typing import Any

told = logging.getLogger("postrmagic_core.log")

_OURS = "postrmagic_core"
# By name: whoever has one of them has imported its module, which is dear.
_SENDERS = {
    *(f"logging.handlers.{kind}Handler" for kind in ("SysLog", "Socket", "Datagram", "SMTP", "HTTP")),
    "django.utils.log.AdminEmailHandler",
    "systemd.journal.JournalHandler",
}


class Aside:
    """From :meth:`open` to :meth:`close` no handler that prints is on a logger, whoever puts it there and when.

    A logger that had one and did not pass its records on does meanwhile: they are the chain's. ``chain`` stays on the
    root, whoever takes it away, and hears what no handler would hear (``logging.lastResort``). Loggers of this package
    that somebody disables, as ``dictConfig`` does with all that it does not name, are enabled again.
    """

    def __init__(self, chain: logging.Handler) -> None:
        self._chain = chain
        self._kept: list[tuple[logging.Logger, logging.Handler]] = []
        self._opened: list[logging.Logger] = []
        self._told: set[str] = set()
        self._open = False
        self._before: tuple[Callable[..., None], Callable[..., None], logging.Handler | None]
        self._undo_return: Callable[[], None] | None = None

    def open(self) -> None:
        """Set aside what there is, and from now on what comes."""
        root = logging.getLogger()
        senders = []
        for logger in [root, *logging.root.manager.loggerDict.values()]:
            if isinstance(logger, logging.Logger):
                for handler in [handler for handler in logger.handlers if prints(handler)]:
                    logger.removeHandler(handler)
                    self._keep(logger, handler)
                    if sends(handler) and not _mails_nobody(handler):
                        senders.append((logger, handler))
        root.addHandler(self._chain)
        self._open = True
        self._before = add, remove, _ = logging.Logger.addHandler, logging.Logger.removeHandler, logging.lastResort

        def add_handler(logger: logging.Logger, hdlr: logging.Handler) -> None:
            if self._open and hdlr is not self._chain and prints(hdlr):
                self._come(logger, hdlr)
            else:
                add(logger, hdlr)
            self.look()

        def remove_handler(logger: logging.Logger, hdlr: logging.Handler) -> None:
            self._kept = [(where, kept) for where, kept in self._kept if (where, kept) != (logger, hdlr)]
            remove(logger, hdlr)
            if self._open and hdlr is self._chain:
                self._return()

        self._ours = (add_handler, remove_handler)
        _patch(add_handler, remove_handler)
        logging.lastResort = self._chain
        for sender in senders:
            self._tell(*sender)

    def close(self) -> None:
        """Put everything back, but for what was removed meanwhile."""
        self._open = False
        add, remove, last = self._before
        if (logging.Logger.addHandler, logging.Logger.removeHandler) == self._ours:  # nobody has wrapped them since
            _patch(add, remove)
        if logging.lastResort is self._chain:
            logging.lastResort = last
        if self._undo_return is not None:
            self._undo_return()
        remove(logging.getLogger(), self._chain)
        for logger, handler in self._kept:
            add(logger, handler)
        for logger in self._opened:
            logger.propagate = False
        self._kept, self._opened = [], []

    def look(self) -> None:
        """Put right what others have changed meanwhile: the chain is on the root, our loggers are enabled."""
        if not self._open:
            return
        if self._chain not in logging.root.handlers:
            self._before[0](logging.root, self._chain)
        for name, logger in list(logging.root.manager.loggerDict.items()):
            if name.startswith(_OURS) and isinstance(logger, logging.Logger):
                logger.disabled = False

    def _return(self) -> None:
        """Have the chain come back with the next record: at once would be a loop for who empties the root's list."""
        if self._undo_return is not None:
            return
        call = logging.Logger.callHandlers
        patched: Any = logging.Logger

        def call_handlers(logger: logging.Logger, record: logging.LogRecord) -> None:
            first = self._undo_return is undo
            undo()
            if first:
                self.look()
            call(logger, record)

        def undo() -> None:
            if self._undo_return is undo:
                self._undo_return = None
            if logging.Logger.callHandlers is call_handlers:  # else somebody has wrapped it since
                patched.callHandlers = call

        self._undo_return = undo
        patched.callHandlers = call_handlers

    def _come(self, logger: logging.Logger, handler: logging.Handler) -> None:
        if (logger, handler) not in self._kept:
            self._keep(logger, handler)
        self._tell(logger, handler)

    def _tell(self, logger: logging.Logger, handler: logging.Handler) -> None:
        if logger.name not in self._told:
            self._told.add(logger.name)
            told.warning(
                "a handler of logger %s would print past the redaction: it is set aside (%s)",
                *(logger.name, type(handler).__name__),
            )

    def _keep(self, logger: logging.Logger, handler: logging.Handler) -> None:
        self._kept.append((logger, handler))
        if not logger.propagate:
            logger.propagate = True
            self._opened.append(logger)


def _patch(add: Callable[..., None], remove: Callable[..., None]) -> None:
    patched: Any = logging.Logger
    patched.addHandler, patched.removeHandler = add, remove


def prints(handler: logging.Handler) -> bool:
    """Whether a handler writes to a file or terminal or sends, past the redaction; one that collects does not.

    A stream is memory if it is a :class:`io.StringIO` or a :class:`io.BytesIO`, also beneath a text.
    """
    if isinstance(handler, logging.StreamHandler):
        stream: Any = getattr(handler, "stream", None)
    elif hasattr(handler, "console"):  # rich's
        stream = getattr(getattr(handler, "console", None), "file", None)
    else:
        return sends(handler)
    if stream is None or stream is sys.stderr or stream is sys.stdout:
        return True
    return not any(isinstance(one, io.StringIO | io.BytesIO) for one in (stream, getattr(stream, "buffer", None)))


def sends(handler: logging.Handler) -> bool:
    """Whether a handler, which has no stream, sends what it is given elsewhere, or gives it to one that prints."""
    target = getattr(handler, "target", None)  # of a MemoryHandler
    if isinstance(target, logging.Handler):
        return prints(target)
    return any(f"{kind.__module__}.{kind.__qualname__}" in _SENDERS for kind in type(handler).__mro__)


def _mails_nobody(handler: logging.Handler) -> bool:
    """Whether it is Django's, which each of its projects has, without an admin to write to."""
    if type(handler).__name__ != "AdminEmailHandler":
        return False
    try:
        return not sys.modules["django.conf"].settings.ADMINS
    except Exception:  # not set up
        return True
