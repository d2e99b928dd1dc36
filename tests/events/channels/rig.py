"""What the tests of the Redis channel work with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import redis

from postrmagic_core.events.adapters.redis import RedisChannel
from postrmagic_core.events.channel import KEPT_LEAST, ChannelOptions

KEY = "{app}:events:broadcast"


def make(url: str, keep_bytes: int = KEPT_LEAST) -> RedisChannel:
    """A channel to be opened."""
    return RedisChannel.from_url(url, ChannelOptions("app", keep_bytes))


@contextmanager
def raw(url: str) -> Iterator[redis.Redis]:
    """The server, as somebody else sees it."""
    with closing(redis.Redis.from_url(url)) as client:
        yield client


def waits(url: str) -> bool:
    """Whether a listener waits at the server."""
    with raw(url) as client:
        return int(client.info("clients")["blocked_clients"]) > 0


def kill_connections(url: str) -> int:
    """End everybody's; how many there were."""
    with raw(url) as client:
        return int(client.client_kill_filter(skipme=True, _type="normal"))
