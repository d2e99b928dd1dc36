"""Channels that call each of their listeners from a thread of its own, whatever that listens to."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

from .._lifecycle import Lifecycle, Living, after_fork
from ..errors import UsageError
from .channel import Missed, check_payload

logger = logging.getLogger("postrmagic_core.events")

# Seconds that a listener which is being called may go on after it was ended.
_PATIENCE = 1.0

T = TypeVar("T")


class SubscriptionChannel(Lifecycle, ABC):
    """A channel whose subscriptions end with it: an adapter supplies ``_send`` and ``_subscribe``."""

    def __init__(self) -> None:
        super().__init__()
        self._subscriptions: Living[Subscription] = Living()

    def publish(self, payload: bytes) -> None:
        """See :meth:`Channel.publish`."""
        self.ensure_open()
        check_payload(payload)
        self._send(payload)

    def listen(self, heard: Callable[[bytes], None], missed: Callable[[Missed], None]) -> Subscription:
        """See :meth:`Channel.listen`."""
        self.ensure_open()
        made = self._subscribe(heard, missed)
        self._subscriptions.add(made)
        return made

    @abstractmethod
    def _send(self, payload: bytes) -> None:
        """Have a payload heard that every channel carries."""

    @abstractmethod
    def _subscribe(self, heard: Callable[[bytes], None], missed: Callable[[Missed], None]) -> Subscription:
        """A subscription, to be entered."""

    def _open(self) -> None:
        """Nothing: may be extended."""

    def _close(self) -> None:
        for each in self._subscriptions:
            each.close()


class Subscription(Lifecycle, ABC):
    """Calls ``heard`` and ``missed`` from a thread of its own, until it is closed.

    An adapter supplies ``_listen``, which is the thread and returns soon after ``ended`` is set, and ``_wake``, which
    has it look at that. ``_open`` may be extended: once it has returned, whatever is published is heard.
    ``channel``, its own, must be open when it is entered. In a forked child it is closed: the thread is the parent's.
    """

    ended: threading.Event
    _thread: threading.Thread | None

    def __init__(self, channel: Lifecycle, heard: Callable[[bytes], None], missed: Callable[[Missed], None]) -> None:
        super().__init__()
        self.channel = channel
        self._heard = heard
        self._missed = missed
        self._forget()
        after_fork(self._forget)

    def tell(self, payload: bytes) -> None:
        """Have it heard."""
        self._call(self._heard, payload)

    def tell_missed(self, missed: Missed) -> None:
        """Have it known what was not heard."""
        self._call(self._missed, missed)

    def _call(self, listener: Callable[[T], None], told: T) -> None:
        if self.ended.is_set():
            return
        try:
            listener(told)
        except Exception:
            logger.exception("a listener of a channel failed, and goes on")

    @abstractmethod
    def _listen(self) -> None:
        """Tell until ``ended`` is set."""

    @abstractmethod
    def _wake(self) -> None:
        """Have the thread look at ``ended``, wherever it waits."""

    def _open(self) -> None:
        self.channel.ensure_open()
        if self._thread is not None:
            raise UsageError("a listener is entered once: call listen() again")
        self._thread = threading.Thread(target=self._listen, name="postrmagic-channel", daemon=True)
        self._thread.start()

    def _close(self) -> None:
        self.ended.set()
        self._wake()
        if self._thread is None or self._thread is threading.current_thread():
            return
        self._thread.join(_PATIENCE)
        if self._thread.is_alive():
            logger.warning("a listener of a channel was still being called %g s after it was ended", _PATIENCE)

    def _forget(self) -> None:
        self.ended = threading.Event()
        self._thread = None
        if self.is_open:
            self._state = "closed"
