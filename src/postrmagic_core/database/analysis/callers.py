"""From which line of the application a statement came."""

from __future__ import annotations

import sys

from ..._sql import ledger


def calling_line() -> str:
    """``file:line (function)`` of the innermost frame of the application; empty where the package asks by itself."""
    line = ledger.calling_line(sys._getframe(1))
    return "" if line is None else ledger.shown_line(line)
