"""What an event is, and the values that events are told by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, ValidationError

from .. import _codec
from .._clock import from_us
from ..errors import DecodeError

if TYPE_CHECKING:
    from .._protocols import UnitLike

Phase: TypeAlias = Literal["before_commit", "after_commit", "durable"]


class Event(BaseModel):
    """Something that happened: a frozen pydantic model with the fields you declare and no others.

    Its id, time and causes travel beside it (:class:`Envelope`). What is stored names the class by module and
    qualified name; set ``event_type = "poster.uploaded"`` in the class before you move it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


def type_name(event_type: type[Event]) -> str:
    """What stored events of this class are called; never inherited from a base."""
    given = vars(event_type).get("event_type")
    return given if isinstance(given, str) else f"{event_type.__module__}.{event_type.__qualname__}"


@dataclass(frozen=True, slots=True)
class Envelope:
    """An event with what was noted when it was emitted.

    ``id`` is a UUIDv7; ``correlation_id`` is the id of the first event of the chain that led here, ``causation_id``
    that of the event whose listener emitted this one.
    """

    id: str
    occurred_us: int
    correlation_id: str
    causation_id: str | None
    event: Event

    def encode(self) -> bytes:
        """The bytes for the outbox and the log; :class:`EncodeError` for a field that cannot be kept without loss."""
        data = self.event.model_dump(mode="python")
        return _codec.encode([self.id, self.occurred_us, self.correlation_id, self.causation_id, data])

    @classmethod
    def decode(cls, payload: bytes, event_type: type[Event]) -> Self:
        """The envelope again, its fields checked; a field that the class no longer has is passed over."""
        try:
            event_id, occurred_us, correlation_id, causation_id, data = _codec.decode(payload)
            event = event_type.model_validate(data, extra="ignore")
            return cls(event_id, occurred_us, correlation_id, causation_id, event)
        except (TypeError, ValueError) as error:
            if isinstance(error, ValidationError):
                fields = ", ".join(sorted({str(item["loc"][0]) for item in error.errors() if item["loc"]}))
                raise DecodeError(f"a stored {type_name(event_type)} does not fit the class: {fields}") from None
            raise DecodeError("the stored bytes are not an event") from error


@dataclass(frozen=True, slots=True)
class EventContext:
    """The second argument of a listener that runs before or after the commit.

    ``tx`` is the unit that is about to commit; ``None`` after it. Services are attributes, as in a job's context.
    """

    event_id: str
    occurred_at: datetime
    correlation_id: str
    causation_id: str | None
    tx: UnitLike | None
    services: Mapping[str, object] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        if name != "services" and name in self.services:
            return self.services[name]
        raise AttributeError(f"the event's context has no {name!r}; services given: {', '.join(sorted(self.services))}")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One durable listener's delivery of one event: which job runs it, and when it was done."""

    listener: str
    job_id: str
    done: datetime | None


@dataclass(frozen=True, slots=True)
class EventRecord:
    """A durable event in the log; ``deliveries`` has one entry for each durable listener it went to."""

    id: str
    type: str
    occurred: datetime
    correlation_id: str
    causation_id: str | None
    deliveries: tuple[Delivery, ...]


def context_of(envelope: Envelope, tx: UnitLike | None, services: Mapping[str, object]) -> EventContext:
    """What a listener is told about the event it is given."""
    noted = (from_us(envelope.occurred_us), envelope.correlation_id, envelope.causation_id)
    return EventContext(envelope.id, *noted, tx, services)
