"""The security events of second factors: each is logged once, by names that are no secrets."""

from __future__ import annotations

import logging
from typing import Final

_log = logging.getLogger("postrmagic_core.security")

_EVENTS: Final = {
    "factor_enabled": (logging.INFO, "a second factor was enabled"),
    "factor_disabled": (logging.INFO, "a second factor was disabled"),
    "factor_accepted": (logging.INFO, "a second factor was accepted"),
    "factor_refused": (logging.WARNING, "a second factor was refused"),
    "factor_replayed": (logging.WARNING, "a code that was used before was refused"),
    "recovery_code_used": (logging.WARNING, "a recovery code was used"),
}


def tell(event: str, user_id: str, **about: str | int) -> None:
    """Log ``security.<event>`` of a user."""
    level, text = _EVENTS[event]
    _log.log(level, text, extra={"event": f"security.{event}", "user_id": user_id, **about})
