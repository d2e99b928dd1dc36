"""What a session store tells of misuse: to the log, to the metrics, and to whoever asked to hear it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .._metrics import Metrics

_log = logging.getLogger("postrmagic_core.sessions")

Kind = Literal["reused", "moved", "rolled_back", "seal_broken", "data_unreadable"]
Action = Literal["revoked", "logged", "refused"]

_WHAT: dict[Kind, str] = {
    "reused": "an id was used after it had been replaced, so somebody else holds it or its successor",
    "moved": "the session is used from another place than before",
    "rolled_back": "the stored session is older than the id that the client holds",
    "seal_broken": "the stored session was not written by this application, or not under a key of its ring",
    "data_unreadable": "the stored data do not fit the model",
}


def tell_ended(which: str, user_id: str | None = None, **about: str) -> None:
    """Log ``session.revoked``: sessions were ended by somebody else than who logs out of them."""
    _log.info("sessions were ended: %s", which, extra={"event": "session.revoked", "user_id": user_id, **about})


@dataclass(frozen=True, slots=True)
class Incident:
    """What was seen, what was done about it, and why; ``str()`` is a sentence.

    ``device`` is the session's :attr:`Device.id`, ``user_id`` whose it is, as far as the row could be read.
    """

    kind: Kind
    action: Action
    device: str
    user_id: str | None = None
    reasons: tuple[str, ...] = ()

    def __str__(self) -> str:
        reasons = f" ({'; '.join(self.reasons)})" if self.reasons else ""
        return f"{_WHAT[self.kind]}{reasons}: {self.action}"


class Watch:
    """Tells of incidents: ``session.<kind>`` in the log, a counter, and a function that must neither wait nor fail."""

    def __init__(self, metrics: Metrics, namespace: str, hear: Callable[[Incident], None] | None) -> None:
        self.hear = hear
        self._metrics = metrics
        self._namespace = namespace

    def tell(self, incident: Incident) -> Incident:
        """Tell it once, everywhere; returns it."""
        self._metrics.counter("sessions_incidents_total", namespace=self._namespace, kind=incident.kind).add()
        event = f"session.{incident.kind}"
        told = {"action": incident.action, "device": incident.device, "user_id": incident.user_id}
        _log.warning("%s: %s", event, incident, extra={"event": event, **told, "reasons": list(incident.reasons)})
        if self.hear is not None:
            try:
                self.hear(incident)
            except Exception as error:
                _log.exception("whoever hears of incidents failed", exc_info=error)
        return incident
