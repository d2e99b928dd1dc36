"""Jobs and sessions refuse a store that forgets what it acknowledged, unless told that it may."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing

import pytest
import redis

from postrmagic_core.errors import BackendError, BackendRejected, ConfigurationError
from postrmagic_core.stores import durability_check
from postrmagic_core.stores.durability import require_durable
from postrmagic_core.testing.servers import RedisServer, free_port

OwnRedis = Callable[..., RedisServer]


@pytest.mark.redis
def test_a_durable_server_is_accepted(own_redis_server: OwnRedis, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is said about it."""
    require_durable(own_redis_server(appendonly="everysec").url)
    require_durable(own_redis_server(appendonly="always", maxmemory=10_000_000).url)
    assert not caplog.records


@pytest.mark.redis
def test_an_evicting_and_forgetful_server_is_refused(own_redis_server: OwnRedis) -> None:
    """Every finding and how to mend it are in the one error, and how to accept it; it is true: keys do go."""
    server = own_redis_server(maxmemory=3_000_000, policy="allkeys-lru")
    with pytest.raises(ConfigurationError) as caught:
        require_durable(server.url)
    text = str(caught.value)
    for part in ("maxmemory-policy is allkeys-lru", "noeviction", "appendonly is off", "accept_loss=True"):
        assert part in text
    with closing(redis.Redis.from_url(server.url)) as raw:
        for number in range(3000):
            raw.set(f"job:{number}", b"x" * 1000)
        assert raw.dbsize() < 3000


@pytest.mark.redis
@pytest.mark.fault
@pytest.mark.parametrize("appendonly", ["no", "always"])
def test_the_check_tells_the_truth_about_a_killed_server(own_redis_server: OwnRedis, appendonly: str) -> None:
    """What passes the check survives kill -9; what does not pass it is gone."""
    server = own_redis_server(appendonly=appendonly)
    refused = bool(durability_check(server.url))
    with closing(redis.Redis.from_url(server.url)) as raw:
        raw.set("acknowledged", 1)
    server.kill()
    server.start()
    with closing(redis.Redis.from_url(server.url)) as raw:
        assert (raw.get("acknowledged") is None) is refused


@pytest.mark.redis
def test_loss_can_be_accepted_in_words(own_redis_server: OwnRedis, caplog: pytest.LogCaptureFixture) -> None:
    """The findings are then a warning in the log, so that nobody is surprised later."""
    with caplog.at_level(logging.WARNING, logger="postrmagic_core.stores"):
        require_durable(own_redis_server().url, accept_loss=True)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "appendonly is off" in caplog.text


@pytest.mark.redis
def test_what_may_not_be_asked_is_a_finding(own_redis_server: OwnRedis) -> None:
    """A user without CONFIG cannot know how often the file is synced; one without INFO knows nothing."""
    server = own_redis_server(appendonly="always")
    place = server.url.removeprefix("redis://")
    with closing(redis.Redis.from_url(server.url)) as raw:
        raw.acl_setuser("half", enabled=True, passwords=["+canary"], commands=["+@all", "-config"], keys=["*"])
        raw.acl_setuser("none", enabled=True, passwords=["+canary"], commands=["+@all", "-info"], keys=["*"])
    with pytest.raises(ConfigurationError, match="appendfsync is unknown"):
        require_durable(f"redis://half:canary@{place}")
    with pytest.raises(BackendRejected) as caught:
        require_durable(f"redis://none:canary@{place}", accept_loss=True)
    assert "canary" not in str(caught.value)


@pytest.mark.fault
def test_a_server_that_does_not_answer_is_not_accepted() -> None:
    """Nothing is known of it, whatever may be lost."""
    with pytest.raises(BackendError):
        require_durable(f"redis://127.0.0.1:{free_port()}/0", accept_loss=True, timeout=0.5)


def test_memory_is_refused_and_databases_are_not() -> None:
    """A store that ends with the process keeps no session; SQL databases are taken at their word."""
    with pytest.raises(ConfigurationError, match="lives in one process"):
        require_durable("memory://")
    require_durable("memory://", accept_loss=True)
    require_durable("sqlite:///kv.db")
