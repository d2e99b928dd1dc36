"""Events for every process: published once they have happened, heard from the channel."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import Literal

from .. import _codec
from .._lifecycle import after_fork
from .._metrics import Metrics
from ..errors import ConfigurationError, DecodeError, PostrMagicError
from .calling import Caller
from .channel import Channel, Missed, check_payload
from .dispatch import Dispatch
from .interface import Event, EventContext, type_name

logger = logging.getLogger("postrmagic_core.events")


class BroadcastMissed(Event):
    """This process has not heard, or perhaps not, ``count`` broadcast events (``None``: nobody knows how many).

    Heard in the phase ``broadcast``, in the place of what was missed: read anew what you mirror. ``reason`` is
    :class:`Missed`'s.
    """

    count: int | None
    reason: Literal["behind", "forgotten", "away"]


class Broadcast:
    """What one manager publishes on ``channel``, and hears from it while a listener of the phase is known."""

    def __init__(self, channel: Channel, dispatch: Dispatch, caller: Caller, metrics: Metrics) -> None:
        self._channel = channel
        self._dispatch = dispatch
        self._caller = caller
        self._metrics = metrics
        self._listening = ExitStack()
        self._listens = False
        after_fork(self._forget)

    def open(self) -> None:
        """Begin to hear, if anybody listens."""
        self._channel.open()
        self.listen()

    def close(self) -> None:
        """Hear no more."""
        self._listening.close()
        self._listens = False
        self._channel.close()

    def listen(self) -> None:
        """Begin to hear, if that was not done and anybody listens: after an include, and in a forked child."""
        if not self._listens and any(each.phase == "broadcast" for each in self._dispatch.listeners.values()):
            self._listens = True
            self._listening.enter_context(self._channel.listen(self._heard, self._missed))

    def message(self, ctx: EventContext) -> bytes:
        """What is published of an event; :class:`UsageError` if that is more than a channel carries."""
        message = _codec.encode([type_name(type(ctx.event)), ctx.encode()])
        check_payload(message)
        return message

    def publish(self, message: bytes) -> None:
        """Have every process hear it; an error is logged and counted, since the event has happened."""
        self.listen()
        try:
            self._channel.publish(message)
        except PostrMagicError:
            self._metrics.counter("events_broadcast_failures_total").add()
            logger.warning("an event could not be broadcast: other processes will not hear it", exc_info=True)

    def _heard(self, message: bytes) -> None:
        try:
            name, payload = _codec.decode(message)
            ctx = EventContext.decode(payload, self._dispatch.known(name), self._dispatch.services)
        except (ConfigurationError, DecodeError, TypeError, ValueError) as error:
            self._metrics.counter("events_broadcast_unread_total").add()
            logger.warning("a broadcast event was passed over: %s", error)
            return
        self._caller.after(self._dispatch.heard(type(ctx.event)).broadcast, ctx)

    def _missed(self, missed: Missed) -> None:
        self._metrics.counter("events_broadcast_missed_total").add()
        event = BroadcastMissed(count=missed.count, reason=missed.reason)
        heard = self._dispatch.heard(BroadcastMissed).broadcast
        if not heard:
            logger.warning(
                "this process may not have heard %s broadcast events (%s); nobody listens to BroadcastMissed",
                *("some" if missed.count is None else missed.count, missed.reason),
            )
        self._caller.after(heard, self._dispatch.context(event))

    def _forget(self) -> None:
        self._listening = ExitStack()  # whose thread did not come along
        self._listens = False
