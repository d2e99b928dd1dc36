"""Events as spans, where somebody records them: emitted, heard, delivered. What an event says is in none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._spans import NO_SPAN, Span, span, spans
from .interface import Event, type_name

if TYPE_CHECKING:
    from .dispatch import Heard
    from .listener import Listener

_SYSTEM = {"messaging.system": "postrmagic"}


def emitting(event: Event, heard: Heard) -> Span:
    """The span that the deliveries' own continue, where a job or another process hears it."""
    if spans.recorder is None:
        return NO_SPAN
    name = type_name(type(event))
    if not (heard.durable or heard.broadcast):
        return span(f"emit {name}", "internal", {"postrmagic.event": name})
    told = _SYSTEM | {"messaging.operation.name": "emit", "messaging.operation.type": "send"}
    return span(f"emit {name}", "producer", told | {"messaging.destination.name": name})


def delivering(listener: Listener[Any], event: Event) -> Span:
    """A durable listener's turn, within its job's span."""
    if spans.recorder is None:
        return NO_SPAN
    told = _SYSTEM | {"messaging.operation.name": "deliver", "messaging.operation.type": "process"}
    told |= {"messaging.destination.name": type_name(type(event)), "postrmagic.listener": listener.name}
    return span(f"deliver {listener.name}", "consumer", told)


def hearing(listener: Listener[Any]) -> Span:
    """Any other listener's turn."""
    if spans.recorder is None:
        return NO_SPAN
    return span(f"listener {listener.name}", "internal", {"postrmagic.listener": listener.name})
