"""Errors as the log tells its taps of them, and what the tests ask of groups."""

from __future__ import annotations

from typing import Any

from postrmagic_core.log.policy import Redactor
from postrmagic_core.log.tracebacks import describe

_redactor = Redactor()


def cleaned(event: str = "request failed", error: BaseException | None = None, **fields: Any) -> dict[str, Any]:
    """An event as a tap gets it: redacted, and plain JSON."""
    told: dict[str, Any] = {"ts": "2026-01-01T00:00:00Z", "level": "error", "logger": "media.uploads", "event": event}
    told |= fields
    if error is not None:
        told["exception"] = describe(error)
    return _redactor.clean(told)


def raised(kind: type[BaseException] = ValueError, *args: object) -> BaseException:
    """An exception that was raised here."""
    try:
        raise kind(*args)
    except kind as error:
        return error


def noted(tracker: Any, error: BaseException | None = None, **fields: Any) -> None:
    """Have a tracker note one."""
    tracker(cleaned(error=error, **fields), error)
