"""From which line of the application a statement came, also where it runs in another thread on that line's behalf."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TypeVar

from ..._sql.ledger import Line, application_line, shown_line

R = TypeVar("R")

_asking = threading.local()


def calling_line() -> str:
    """``file:line (function)`` of the innermost frame of the application; empty where the package asks by itself."""
    line: Line | None = application_line(sys._getframe(1)) or getattr(_asking, "line", None)
    return "" if line is None else shown_line(line)


def asked_from(line: Line | None, call: Callable[[], R]) -> R:
    """``call()``, in this thread but for ``line`` of another one."""
    _asking.line = line
    try:
        return call()
    finally:
        _asking.line = None
