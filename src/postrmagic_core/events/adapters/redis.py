"""A channel over Redis or Valkey, 7.0 or later: one stream, from which each listener reads where it stands."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Self

from ..._lifecycle import Lifecycle
from ...stores.redis_client import RedisClient
from ..channel import ChannelOptions, Missed, check_payload
from ._redis_ear import IDLE_MS, RedisEar, token
from ._redis_scripts import PUBLISH

# Seconds an exchange may take, connecting included.
_TIMEOUT = 1.0


class RedisChannel(Lifecycle):
    """A listener that is cut off, or slow, hears later what the server still has: ``keep`` bytes for all of them.

    Whatever becomes of the server, its data or its place, a listener notices by the chain that the entries are
    (``redis_scripts/prelude.lua``), and is told.
    """

    def __init__(self, url: str, options: ChannelOptions) -> None:
        super().__init__()
        self.client = RedisClient(url, _TIMEOUT)
        self.key = b"{%s}:events:broadcast" % options.namespace.encode()
        self._keep = options.keep

    @classmethod
    def from_url(cls, url: str, options: ChannelOptions) -> Self:
        """An adapter for a server or its Sentinels, as the Redis store's URLs have it; no I/O yet."""
        return cls(url, options)

    def publish(self, payload: bytes) -> None:
        """See :meth:`Channel.publish`: one round trip, never repeated."""
        self.ensure_open()
        check_payload(payload)
        self.client.run(PUBLISH, [self.key], [token(), self._keep, IDLE_MS, payload])

    def listen(self, heard: Callable[[bytes], None], missed: Callable[[Missed], None]) -> RedisEar:
        """See :meth:`Channel.listen`."""
        self.ensure_open()
        ear = RedisEar(self, heard, missed)
        self._ears.add(ear)
        return ear

    def _open(self) -> None:
        self._ears: weakref.WeakSet[RedisEar] = weakref.WeakSet()

    def _close(self) -> None:
        for ear in list(self._ears):
            ear.close()
        self.client.close()
