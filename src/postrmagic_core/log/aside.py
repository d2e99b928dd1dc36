"""Handlers that print by themselves, past the redaction: they are kept away from their loggers for a while."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

told = logging.getLogger("postrmagic_core.log")


class Aside:
    """From :meth:`open` to :meth:`close` no handler that prints is on a logger, whoever puts it there and when.

    A logger that had one and did not pass its records on does meanwhile: they are the chain's. ``chain`` stays on the
    root, whoever takes it away, and hears what no handler would hear (``logging.lastResort``).
    """

    def __init__(self, chain: logging.Handler) -> None:
        self._chain = chain
        self._kept: list[tuple[logging.Logger, logging.Handler]] = []
        self._opened: list[logging.Logger] = []
        self._told: set[str] = set()
        self._open = False
        self._before: tuple[Callable[..., None], Callable[..., None], logging.Handler | None]

    def open(self) -> None:
        """Set aside what there is, and from now on what comes."""
        root = logging.getLogger()
        for logger in [root, *logging.root.manager.loggerDict.values()]:
            if isinstance(logger, logging.Logger):
                for handler in [handler for handler in logger.handlers if prints(handler)]:
                    logger.removeHandler(handler)
                    self._keep(logger, handler)
        root.addHandler(self._chain)
        self._open = True
        self._before = add, remove, _ = logging.Logger.addHandler, logging.Logger.removeHandler, logging.lastResort

        def add_handler(logger: logging.Logger, hdlr: logging.Handler) -> None:
            if self._open and hdlr is not self._chain and prints(hdlr):
                self._come(logger, hdlr)
            else:
                add(logger, hdlr)
            if self._open and self._chain not in root.handlers:
                add(root, self._chain)

        def remove_handler(logger: logging.Logger, hdlr: logging.Handler) -> None:
            self._kept = [(where, kept) for where, kept in self._kept if (where, kept) != (logger, hdlr)]
            remove(logger, hdlr)

        self._ours = (add_handler, remove_handler)
        _patch(add_handler, remove_handler)
        logging.lastResort = self._chain

    def close(self) -> None:
        """Put everything back, but for what was removed meanwhile."""
        self._open = False
        add, remove, last = self._before
        if (logging.Logger.addHandler, logging.Logger.removeHandler) == self._ours:  # nobody has wrapped them since
            _patch(add, remove)
        if logging.lastResort is self._chain:
            logging.lastResort = last
        remove(logging.getLogger(), self._chain)
        for logger, handler in self._kept:
            add(logger, handler)
        for logger in self._opened:
            logger.propagate = False
        self._kept, self._opened = [], []

    def _come(self, logger: logging.Logger, handler: logging.Handler) -> None:
        if (logger, handler) not in self._kept:
            self._keep(logger, handler)
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
    """Whether a handler writes to a file or terminal, past the redaction; one that collects in memory does not."""
    if isinstance(handler, logging.StreamHandler):
        stream: Any = getattr(handler, "stream", None)
    elif hasattr(handler, "console"):  # rich's
        stream = getattr(getattr(handler, "console", None), "file", None)
    else:
        return False
    try:
        return stream is None or stream in (sys.stderr, sys.stdout) or stream.fileno() >= 0
    except (OSError, ValueError, AttributeError):
        return False
