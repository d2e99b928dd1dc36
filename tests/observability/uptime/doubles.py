"""Uptime without each of its guards: ``make guards`` puts these in their places (tests/faults.toml)."""

from __future__ import annotations

import ssl
from typing import Any
from urllib.parse import SplitResult

from postrmagic_core.observability.uptime.policy import Change, Look, State, advance


def unverified(attempt: Any, connected: Any, host: str) -> Any:
    """Whoever answers is believed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    secured = attempt._kept(context.wrap_socket(connected, server_hostname=host))
    attempt.expires = attempt._now + 1e9
    return secured


def well(*args: object) -> str:
    """Nothing is wrong."""
    return ""


def without_end(every: float, timeout: float) -> int:
    """However long nobody looked, somebody did."""
    return 10**18


def at_once(state: State, look: Look, *, failures: int, every: float, timeout: float) -> Change:
    """One failure is an outage."""
    return advance(state, look, failures=1, every=every, timeout=timeout)


def whole(parts: SplitResult) -> str:
    """All of a URL is shown."""
    return parts.geturl()
