"""What is Redis' own about its channel: what it costs, what it leaves behind, and what others put into it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis

from postrmagic_core.errors import BackendRejected, ConfigurationError, OutOfSpace
from postrmagic_core.events.adapters import _redis_subscription
from postrmagic_core.events.adapters.redis import RedisChannel
from postrmagic_core.events.channel import KEPT_LEAST, MAX_PAYLOAD, ChannelOptions, Missed
from postrmagic_core.registry import CHANNELS, Registry
from postrmagic_core.testing import until
from postrmagic_core.testing.certificates import Authority
from postrmagic_core.testing.contracts.channel_rig import listening, numbered
from postrmagic_core.testing.servers import RedisServer
from tests.events.channels.rig import KEY, make, raw, waits

pytestmark = pytest.mark.redis

Servers = Callable[..., RedisServer]
FORGOTTEN = Missed(None, "forgotten")


@pytest.fixture
def channel(redis_url: str) -> Iterator[RedisChannel]:
    """On a server shared by others."""
    with make(redis_url) as channel:
        yield channel


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    """The same database, as somebody else sees it."""
    with raw(redis_url) as client:
        yield client


def test_a_url_finds_it() -> None:
    """Each of the schemes; a server is asked nothing before it is opened, and not then."""
    for scheme in ("redis", "rediss", "redis+sentinel", "rediss+sentinel"):
        place = "127.0.0.1:1/main/0" if "sentinel" in scheme else "127.0.0.1:1/0"
        channel = (
            Registry().load(CHANNELS, f"{scheme}://{place}").from_url(f"{scheme}://{place}", ChannelOptions("app"))
        )
        with channel:
            assert isinstance(channel, RedisChannel)
    with pytest.raises(ConfigurationError):
        make("redis://127.0.0.1:port/0")
    with pytest.raises(ValueError, match=str(KEPT_LEAST)):
        ChannelOptions("app", KEPT_LEAST - 1)


def test_publishing_is_one_round_trip(own_redis_server: Servers) -> None:
    """Whoever listens."""
    server = own_redis_server()
    with make(server.url) as channel, listening(channel) as notebook, raw(server.url) as client:
        channel.publish(b"0")  # which teaches the server the script
        client.config_resetstat()
        for payload in numbered(50):
            channel.publish(payload)
        notebook.await_told(51)
        called = {name: stats["calls"] for name, stats in client.info("commandstats").items()}
        assert called["cmdstat_evalsha"] == 50
        assert called["cmdstat_xread"] <= 52
        assert "cmdstat_eval" not in called


def test_who_waits_asks_almost_nothing(own_redis_server: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two commands each time that it has waited, which is five seconds, here two."""
    monkeypatch.setattr(_redis_subscription, "WAIT", 2.0)
    server = own_redis_server()
    with make(server.url) as channel, listening(channel), raw(server.url) as client:
        until(lambda: waits(server.url), "it does not wait")
        client.config_resetstat()
        time.sleep(1.5 * _redis_subscription.WAIT)
        called = {name: stats["calls"] for name, stats in client.info("commandstats").items()}
        called.pop("cmdstat_config|resetstat", None)
        assert called.pop("cmdstat_evalsha") == called.pop("cmdstat_xread") == 1
        # What the script does within the server.
        assert sum(called.values()) <= 6


def test_what_a_server_keeps_is_bounded(channel: RedisChannel, client: redis.Redis) -> None:
    """However much is published, small or great, and whether anybody listens."""
    for payloads in (numbered(4_000, 300), numbered(20, MAX_PAYLOAD), numbered(11_000)):
        for payload in payloads:
            channel.publish(payload)
        assert int(client.memory_usage(KEY, samples=0) or 0) < 2 * KEPT_LEAST


def test_what_nobody_uses_vanishes(channel: RedisChannel, client: redis.Redis) -> None:
    """A day after the last who published or listened."""
    channel.publish(b"1")
    assert 86_000 < client.ttl(KEY) <= 86_400
    client.expire(KEY, 10)
    with listening(channel):
        assert client.ttl(KEY) > 86_000
    assert client.keys() == [KEY.encode()]


def test_a_full_server_says_so(own_redis_server: Servers) -> None:
    """Publishing raises; a listener is kept, and hears on once there is room."""
    server = own_redis_server()
    with make(server.url) as channel, listening(channel) as notebook, raw(server.url) as client:
        channel.publish(b"before")
        client.config_set("maxmemory", "1")
        with pytest.raises(OutOfSpace):
            channel.publish(b"too much")
        with listening(channel):
            pass
        client.config_set("maxmemory", "0")
        channel.publish(b"after")
        notebook.expect(b"before", b"after")


def test_another_type_under_its_key_is_told(
    channel: RedisChannel, client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is deleted that is somebody else's; a listener hears when it is gone."""
    client.set(KEY, "mine")
    with pytest.raises(BackendRejected, match="WRONGTYPE"):
        channel.publish(b"1")
    with listening(channel) as notebook:
        assert "holds another type" in caplog.text
        assert client.get(KEY) == b"mine"
        client.delete(KEY)
        until(lambda: notebook.told, "it did not come back")
        channel.publish(b"2")
        notebook.expect(Missed(None, "away"), b"2")


FOREIGN: list[dict[str, str]] = [
    {"x": "y"},
    {"s": "", "a": "", "b": "", "p": "foreign"},
    {"s": "1", "a": "1-1", "b": "-1", "p": "foreign"},
    {"s": "9" * 30, "a": "x", "b": "9" * 30, "p": "foreign"},
]


@pytest.mark.parametrize("fields", FOREIGN, ids=["other", "empty", "negative", "great"])
@pytest.mark.parametrize("place", ["*", "18446744073709551615-18446744073709551615"], ids=["next", "last possible"])
def test_what_others_put_there_harms_nobody(
    channel: RedisChannel, client: redis.Redis, fields: dict[Any, Any], place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listener is told that something was there, if anything; publishing goes on, and is heard."""
    monkeypatch.setattr(_redis_subscription, "WAIT", 0.5)
    with listening(channel) as notebook:
        channel.publish(b"before")
        notebook.expect(b"before")
        client.xadd(KEY, fields, id=place)
        channel.publish(b"after")
        until(lambda: heard_again(channel, notebook.payloads), "it is deaf")
        assert b"foreign" not in notebook.payloads or "1" in fields.values()
        assert set(notebook.gaps) <= {FORGOTTEN}
        assert notebook.gaps


def heard_again(channel: RedisChannel, payloads: list[bytes]) -> bool:
    """Whether one of several is heard."""
    channel.publish(b"again")
    time.sleep(0.1)
    return b"again" in payloads


def test_it_speaks_tls(tmp_path: Path) -> None:
    """Payloads of many records too."""
    authority = Authority(tmp_path)
    with (
        RedisServer(tls=authority.issue("127.0.0.1")) as server,
        make(f"{server.tls_url}?ssl_ca={authority.file}") as channel,
        listening(channel) as notebook,
    ):
        payloads = [*numbered(20), b"x" * MAX_PAYLOAD, b"last"]
        for payload in payloads:
            channel.publish(payload)
        notebook.expect(*payloads)


def test_a_user_without_rights_is_told(own_redis_server: Servers) -> None:
    """Who may only use the channel can; the history's name is a right that can be missing."""
    server = own_redis_server()
    with closing(redis.Redis.from_url(server.url)) as client:
        rights = ["+eval", "+evalsha", "+exists", "+xinfo", "+xadd", "+xtrim", "+xrange", "+xread", "+pexpire", "+time"]
        rights += ["+del", "+select", "+ping"]
        client.execute_command("ACL", "SETUSER", "app", "on", ">secret", "~{app}:events:*", *rights)  # type: ignore[no-untyped-call]  # redis-py's is none
    with make(server.url.replace("//", "//app:secret@")) as channel, listening(channel) as notebook:
        channel.publish(b"1")
        notebook.expect(b"1")
    with make(server.url.replace("//", "//app:wrong@")) as channel, pytest.raises(BackendRejected):
        channel.publish(b"1")
