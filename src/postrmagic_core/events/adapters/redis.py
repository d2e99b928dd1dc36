"""A channel over Redis or Valkey, 7.0 or later: one stream, from which each listener reads where it stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from ...stores.redis_client import RedisClient
from ..channel import ChannelOptions, Missed
from ..subscription import SubscriptionChannel
from ._redis_scripts import PUBLISH
from ._redis_subscription import IDLE_MS, RedisSubscription, token

# Seconds an exchange may take, connecting included.
_TIMEOUT = 1.0


class RedisChannel(SubscriptionChannel):
    """A listener that is cut off, or slow, hears later what the server still has: ``keep_bytes`` for all of them.

    Whatever becomes of the server, its data or its place, a listener notices by the chain that the entries are
    (``redis_scripts/prelude.lua``), and is told.
    """

    def __init__(self, url: str, options: ChannelOptions) -> None:
        super().__init__()
        self.client = RedisClient(url, _TIMEOUT)
        self.key = b"{%s}:events:broadcast" % options.namespace.encode()
        self._keep_bytes = options.keep_bytes

    @classmethod
    def from_url(cls, url: str, options: ChannelOptions) -> Self:
        """An adapter for a server or its Sentinels, as the Redis store's URLs have it; no I/O yet."""
        return cls(url, options)

    def _close(self) -> None:
        super()._close()
        self.client.close()

    def _send(self, payload: bytes) -> None:
        """One round trip, never repeated."""
        self.client.run(PUBLISH, [self.key], [token(), self._keep_bytes, IDLE_MS, payload])

    def _subscribe(self, heard: Callable[[bytes], None], missed: Callable[[Missed], None]) -> RedisSubscription:
        return RedisSubscription(self, heard, missed)
