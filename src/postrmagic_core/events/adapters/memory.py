"""A channel within one process: what is published is heard in it, and nowhere else."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Self

from ..._lifecycle import after_fork
from ..channel import ChannelOptions, Missed
from ..subscription import Subscription, SubscriptionChannel

# What a payload costs beside its bytes.
_OVERHEAD = 100


class MemoryChannel(SubscriptionChannel):
    """A queue for each listener, of ``keep_bytes``: where one is full, its oldest payloads are missed.

    Channels of one process share by URL and namespace: ``memory://`` is one, ``memory://other`` another. A forked child
    has none of its parent's listeners.
    """

    def __init__(self, url: str, options: ChannelOptions) -> None:
        super().__init__()
        self.keep_bytes = options.keep_bytes
        self._hub = _hubs.of(url, options.namespace)

    @classmethod
    def from_url(cls, url: str, options: ChannelOptions) -> Self:
        """``memory://`` or ``memory://name``."""
        return cls(url, options)

    def _send(self, payload: bytes) -> None:
        self._hub.publish(payload)

    def _subscribe(self, heard: Callable[[bytes], None], missed: Callable[[Missed], None]) -> MemorySubscription:
        return MemorySubscription(self, self._hub, heard, missed)


class Hub:
    """Who listens to one URL and namespace."""

    def __init__(self) -> None:
        self._forget()
        after_fork(self._forget)

    def publish(self, payload: bytes) -> None:
        """Put it into every queue: under one lock, so that the order is one."""
        with self._lock:
            for each in self._subscriptions:
                each.put(payload)

    def add(self, subscription: MemorySubscription) -> None:
        """From now on."""
        with self._lock:
            self._subscriptions.append(subscription)

    def drop(self, subscription: MemorySubscription) -> None:
        """No longer."""
        with self._lock:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._subscriptions: list[MemorySubscription] = []


class MemorySubscription(Subscription):
    """One listener and its queue."""

    _lost: int

    def __init__(
        self, channel: MemoryChannel, hub: Hub, heard: Callable[[bytes], None], missed: Callable[[Missed], None]
    ) -> None:
        self._hub = hub
        self._keep_bytes = channel.keep_bytes
        super().__init__(channel, heard, missed)

    def put(self, payload: bytes) -> None:
        """Queue it; what is too much goes, the oldest first."""
        with self._changed:
            self._queue.append(payload)
            self._size += len(payload) + _OVERHEAD
            while self._size > self._keep_bytes and len(self._queue) > 1:
                self._size -= len(self._queue.popleft()) + _OVERHEAD
                self._lost += 1
            self._changed.notify()

    def _open(self) -> None:
        super()._open()
        self._hub.add(self)

    def _close(self) -> None:
        self._hub.drop(self)
        super()._close()

    def _listen(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self.ended.is_set())
                if self.ended.is_set():
                    return
                lost, self._lost = self._lost, 0
                payload = self._queue.popleft()
                self._size -= len(payload) + _OVERHEAD
            if lost:
                self.tell_missed(Missed(lost, "behind"))
            self.tell(payload)

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify()

    def _forget(self) -> None:
        super()._forget()
        self._changed = threading.Condition()
        self._queue: deque[bytes] = deque()
        self._size = 0
        self._lost = 0


class _Hubs:
    """The process's hubs, each as long as a channel uses it."""

    def __init__(self) -> None:
        self._known: weakref.WeakValueDictionary[tuple[str, str], Hub] = weakref.WeakValueDictionary()
        self._forget()
        after_fork(self._forget)

    def of(self, url: str, namespace: str) -> Hub:
        """The one for both."""
        with self._lock:
            return self._known.setdefault((url, namespace), Hub())

    def _forget(self) -> None:
        self._lock = threading.Lock()


_hubs = _Hubs()
