"""What an event is, and the values that events are told by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, ValidationError

from .. import _codec
from .._clock import from_us
from .._ids import Ids
from ..errors import DecodeError, UsageError

if TYPE_CHECKING:
    from .._protocols import UnitLike

Phase: TypeAlias = Literal["now", "before_commit", "after_commit", "durable", "broadcast"]
OnError: TypeAlias = Literal["raise", "log", "retry"]
Overflow: TypeAlias = Literal["block", "drop_oldest", "raise"]
DeliveryState: TypeAlias = Literal["waiting", "queued", "done", "dead"]


class Event(BaseModel):
    """Something that happened: a frozen pydantic model with the fields you declare and no others.

    Its id, time and causes travel beside it (:class:`EventContext`). What is stored names the class by module and
    qualified name; set ``event_type = "poster.uploaded"`` in the class before you move it. ``event_key = "media_id"``
    names the field whose value orders durable deliveries: those of one value reach each listener one after the other.
    It holds for subclasses too, together.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    event_type: ClassVar[str] = ""
    event_key: ClassVar[str] = ""

    @classmethod
    def __pydantic_init_subclass__(cls, **options: Any) -> None:
        if cls.event_key and cls.event_key not in cls.model_fields:
            raise UsageError(f"{cls.__qualname__}.event_key names {cls.event_key!r}, which is no field of it")


def type_name(event_type: type[Event]) -> str:
    """What stored events of this class are called; never inherited from a base."""
    given = vars(event_type).get("event_type")
    return given if isinstance(given, str) and given else f"{event_type.__module__}.{event_type.__qualname__}"


def stream_of(event: Event) -> str | None:
    """What orders its durable deliveries: the class that sets ``event_key`` and the field's value; or ``None``."""
    if not event.event_key:
        return None
    owner = next(base for base in type(event).__mro__ if "event_key" in vars(base))
    return f"{type_name(owner)}:{getattr(event, event.event_key)}"


class _Stop:
    """The type of :data:`STOP`."""

    def __repr__(self) -> str:
        return "STOP"


STOP: Final = _Stop()
"""Returned by a listener, it keeps the event from those that would hear it later in the same phase."""


class EventContext:
    """What is noted of ``event`` as it is emitted; the second argument of a listener that is not durable.

    ``causation_id`` is the id of the event whose listener emitted this one, ``depth`` how many listeners of this
    process are inside each other there. ``tx`` is the unit with which it is emitted, in the phases ``now`` and
    ``before_commit``; ``None`` without one and afterwards. Services are attributes, as in a job's context.
    """

    __slots__ = ("_correlation_id", "_event_id", "causation_id", "depth", "event", "occurred_us", "services", "tx")

    event: Event
    occurred_us: int
    services: Mapping[str, object]
    tx: UnitLike | None
    depth: int
    causation_id: str | None

    def __init__(
        self, event: Event, occurred_us: int, services: Mapping[str, object], because: EventContext | None = None
    ) -> None:
        self.event = event
        self.occurred_us = occurred_us
        self.services = services
        self.tx = None
        self.depth = 0
        self.causation_id = None
        self._event_id: str | None = None
        self._correlation_id: str | None = None
        if because is not None:
            self.depth = because.depth + 1
            self.causation_id = because.event_id
            self._correlation_id = because.correlation_id

    @property
    def event_id(self) -> str:
        """A UUIDv7, made when somebody wants it: an event nobody asks about is emitted in half the time."""
        if self._event_id is None:
            with _ids.lock:
                if self._event_id is None:
                    self._event_id = _ids.text(self.occurred_us)
        return self._event_id

    @property
    def correlation_id(self) -> str:
        """The id of the first event of the chain that led here; its own, if it is that."""
        return self._correlation_id or self.event_id

    @property
    def occurred_at(self) -> datetime:
        """When it was emitted; aware, UTC."""
        return from_us(self.occurred_us)

    def within(self, tx: Any) -> EventContext:
        """The same with a unit."""
        made = EventContext(self.event, self.occurred_us, self.services)
        made._event_id, made._correlation_id = self.event_id, self.correlation_id
        made.causation_id, made.depth, made.tx = self.causation_id, self.depth, tx
        return made

    def encode(self) -> bytes:
        """The bytes for the outbox and the log; :class:`EncodeError` for a field that cannot be kept without loss."""
        data = self.event.model_dump(mode="python")
        return _codec.encode([self.event_id, self.occurred_us, self.correlation_id, self.causation_id, data])

    @classmethod
    def decode(cls, payload: bytes, event_type: type[Event], services: Mapping[str, object] | None = None) -> Self:
        """It again, its fields checked; a field that the class no longer has is passed over."""
        try:
            event_id, occurred_us, correlation_id, causation_id, data = _codec.decode(payload)
            found = cls(event_type.model_validate(data, extra="ignore"), occurred_us, services or {})
        except (TypeError, ValueError) as error:
            if isinstance(error, ValidationError):
                fields = ", ".join(sorted({str(item["loc"][0]) for item in error.errors() if item["loc"]}))
                raise DecodeError(f"a stored {type_name(event_type)} does not fit the class: {fields}") from None
            raise DecodeError("the stored bytes are not an event") from error
        found._event_id, found._correlation_id, found.causation_id = event_id, correlation_id, causation_id
        return found

    def __getattr__(self, name: str) -> Any:
        if name in self.__slots__:  # of one that is being made, as by copy()
            raise AttributeError(name)
        if name in self.services:
            return self.services[name]
        raise AttributeError(f"the event's context has no {name!r}; services given: {', '.join(sorted(self.services))}")


_ids = Ids()


@dataclass(frozen=True, slots=True)
class Delivery:
    """One durable listener's delivery of one event, and the job that runs it.

    ``done_at`` and ``dead_at`` say since when it is; ``error`` is the code of what ended a dead one. ``key`` orders it
    among the listener's deliveries; while another is before it, it waits and has no job (``job_id`` is empty).
    """

    listener: str
    job_id: str
    done_at: datetime | None
    dead_at: datetime | None = None
    error: str | None = None
    key: str | None = None

    @property
    def state(self) -> DeliveryState:
        """Where it is."""
        if self.done_at is not None:
            return "done"
        if self.dead_at is not None:
            return "dead"
        return "queued" if self.job_id else "waiting"


@dataclass(frozen=True, slots=True)
class EventRecord:
    """A durable event in the log; ``deliveries`` has one entry for each durable listener it went to."""

    id: str
    type: str
    occurred_at: datetime
    correlation_id: str
    causation_id: str | None
    deliveries: tuple[Delivery, ...]
