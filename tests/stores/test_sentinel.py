"""A primary named by real Sentinels: found, verified, and found again when another is promoted."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import redis

from postrmagic_core.errors import (
    BackendError,
    BackendRejected,
    BackendTimeout,
    BackendUnavailable,
    ConfigurationError,
)
from postrmagic_core.stores import durability_check, open_store
from postrmagic_core.stores.adapters._redis_place import Address, Place
from postrmagic_core.stores.adapters.redis import RedisStore
from postrmagic_core.testing.certificates import Authority
from postrmagic_core.testing.proxy import FaultProxy
from postrmagic_core.testing.servers import RedisServer, SentinelServer, free_port, require

pytestmark = pytest.mark.redis

Replicated = Callable[..., tuple[RedisServer, RedisServer]]
Watch = Callable[..., SentinelServer]
TIMEOUT = 0.5
SLACK = 2.0
KEY = b"{app}:k:1"


@pytest.fixture
def watch() -> Iterator[Watch]:
    """A factory of Sentinels of this test's own."""
    require(SentinelServer.binary(), "no redis-server or valkey-server")
    with ExitStack() as sentinels:
        yield lambda primary, **options: sentinels.enter_context(SentinelServer(primary, **options))


def ask(sentinel: SentinelServer, *command: str) -> Any:
    """What the Sentinel answers."""
    with redis.Redis(port=sentinel.port, decode_responses=True) as client:
        return client.execute_command("SENTINEL", *command)


def eventually(attempt: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait until ``attempt`` is true, its errors aside."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if attempt():
                return
        except redis.RedisError:
            pass  # not yet; or it closed its clients' connections, as it does when it is promoted
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def role(server: RedisServer) -> str:
    """``master`` or ``slave``."""
    with closing(redis.Redis.from_url(server.url)) as raw:
        return str(raw.info("replication")["role"])


def several(*sentinels: SentinelServer, rest: str = "main/0") -> str:
    """A URL of all of them."""
    return f"redis+sentinel://{','.join(f'{s.host}:{s.port}' for s in sentinels)}/{rest}"


def until_written(call: Any, value: bytes, seconds: float) -> float:
    """Write until it succeeds; the seconds that took. More than promised fails."""
    began = time.monotonic()
    while True:
        try:
            call("set", {KEY: value}, None)
        except BackendError:
            assert time.monotonic() - began < seconds + SLACK, "no primary was found"
            time.sleep(0.02)
        else:
            return time.monotonic() - began


def test_the_primary_is_found_by_its_name(
    caller: Callable[..., Any], watch: Watch, own_redis_server: Callable[..., RedisServer]
) -> None:
    """User and password are the server's; the database is the URL's; the connection is kept."""
    primary = own_redis_server(options=["--requirepass", "canary"])
    sentinel = watch(primary, watched="my-primary")
    call = caller(f"redis+sentinel://default:canary@127.0.0.1:{sentinel.port}/my-primary/3")
    call("set", {KEY: b"v"}, None)
    with closing(redis.Redis(port=primary.port, password="canary", db=3)) as raw:
        assert raw.get(KEY) == b"v"
        connections = raw.info("stats")["total_connections_received"]
        for _ in range(20):
            assert call("get", [KEY]) == [b"v"]
        assert raw.info("stats")["total_connections_received"] == connections


def test_a_sentinel_that_asks_for_the_password_gets_it(
    caller: Callable[..., Any], watch: Watch, own_redis_server: Callable[..., RedisServer]
) -> None:
    """The same password opens both; a wrong one is said by type and not shown."""
    primary = own_redis_server(options=["--requirepass", "canary"])
    sentinel = watch(primary, options=["--requirepass", "canary"])
    caller(f"redis+sentinel://:canary@127.0.0.1:{sentinel.port}/main")("set", {KEY: b"v"}, None)
    with pytest.raises(BackendRejected) as caught:
        caller(f"redis+sentinel://:wrong-canary@127.0.0.1:{sentinel.port}/main")("get", [KEY])
    assert "canary" not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_a_name_that_nobody_watches_is_said(
    caller: Callable[..., Any], watch: Watch, own_redis_server: Callable[..., RedisServer]
) -> None:
    """It is a mistake, and no outage of the server."""
    sentinel = watch(own_redis_server())
    with pytest.raises(BackendRejected, match="no Sentinel watches a primary named 'other'"):
        caller(f"redis+sentinel://127.0.0.1:{sentinel.port}/other/0")("get", [KEY])


@pytest.mark.fault
@pytest.mark.parametrize("how", ["refused", "silent", "ignorant"])
def test_one_good_sentinel_suffices(
    caller: Callable[..., Any], watch: Watch, own_redis_server: Callable[..., RedisServer], how: str
) -> None:
    """Whatever the first ones do, the last is asked within the same call's budget, and first from then on."""
    sentinel = watch(own_redis_server())
    with FaultProxy(f"redis://127.0.0.1:{sentinel.port}") as proxy:
        if how == "silent":
            proxy.blackhole()
        bad = {"refused": free_port(), "silent": proxy.port, "ignorant": watch(own_redis_server(), watched="x").port}
        call = caller(f"redis+sentinel://127.0.0.1:{bad[how]},127.0.0.1:{sentinel.port}/main/0", timeout=2)
        call("set", {KEY: b"v"}, None)
        assert call("get", [KEY]) == [b"v"]
        if how == "silent":
            assert proxy.hits


@pytest.mark.fault
def test_silent_sentinels_cost_the_time_out(caller: Callable[..., Any], own_redis_server: Callable[..., Any]) -> None:
    """Three black holes share one budget; no write is in doubt, since none was sent."""
    with ExitStack() as stack:
        proxies = [stack.enter_context(FaultProxy(own_redis_server().url)) for _ in range(3)]
        for proxy in proxies:
            proxy.blackhole()
        call = caller(f"redis+sentinel://{','.join(f'127.0.0.1:{proxy.port}' for proxy in proxies)}/main", TIMEOUT)
        began = time.monotonic()
        with pytest.raises(BackendTimeout):
            call("set", {KEY: b"v"}, None)
        assert time.monotonic() - began < TIMEOUT + SLACK
        assert all(proxy.hits for proxy in proxies)


@pytest.mark.fault
def test_sentinels_that_go_silent_later_cost_no_call_its_answer(
    caller: Callable[..., Any], watch: Watch, own_redis_server: Callable[..., RedisServer]
) -> None:
    """Asking again whether the primary has moved takes a part of the budget and its failure is nobody's."""
    primary = own_redis_server()
    sentinel = watch(primary)
    with FaultProxy(f"redis://127.0.0.1:{sentinel.port}") as proxy:
        call = caller(f"redis+sentinel://127.0.0.1:{proxy.port}/main", timeout=2)
        call("set", {KEY: b"v"}, None)
        proxy.blackhole()
        deadline = time.monotonic() + 10
        while not proxy.hits:
            assert call("get", [KEY]) == [b"v"]
            assert time.monotonic() < deadline, "nobody asked again"
        assert call("get", [KEY]) == [b"v"]


@pytest.mark.fault
def test_a_replica_that_a_sentinel_names_is_not_believed(
    caller: Callable[..., Any], replicated: Replicated, impostor: Callable[..., int], watch: Watch
) -> None:
    """An outdated Sentinel: its server's ROLE is asked, nothing is read from the copy, and the next Sentinel is."""
    primary, replica = replicated()
    port = str(replica.port)
    outdated = impostor(lambda request: b"*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%s\r\n" % (len(port), port.encode()))
    with pytest.raises(BackendUnavailable, match="no primary"):
        caller(f"redis+sentinel://127.0.0.1:{outdated}/main")("get", [KEY])
    sentinel = watch(primary)
    call = caller(f"redis+sentinel://127.0.0.1:{outdated},127.0.0.1:{sentinel.port}/main")
    call("set", {KEY: b"v"}, None)
    assert call("get", [KEY]) == [b"v"]


@pytest.mark.fault
def test_a_planned_failover_is_followed(caller: Callable[..., Any], replicated: Replicated, watch: Watch) -> None:
    """The old primary would take writes, and forget them, for eight seconds more: the new one has them within five."""
    primary, replica = replicated()
    sentinel = watch(primary)
    call = caller(sentinel.url)
    call("set", {KEY: b"0"}, None)
    eventually(lambda: ask(sentinel, "FAILOVER", "main"))
    eventually(lambda: role(replica) == "master")
    turns = itertools.count(1)

    def arrives() -> bool:
        value = b"%d" % next(turns)
        until_written(call, value, 5.0)
        with closing(redis.Redis.from_url(replica.url)) as raw:
            return bool(raw.get(KEY) == value)

    eventually(arrives, 5 + SLACK)
    call("set", {KEY: b"last"}, None)
    assert call("get", [KEY]) == [b"last"]


@pytest.mark.fault
def test_a_killed_primary_is_replaced(replicated: Replicated, watch: Watch) -> None:
    """Three Sentinels agree after half a second; both faces write again within five seconds of the promotion."""
    primary, replica = replicated()
    sentinels = [watch(primary, quorum=2) for _ in range(3)]
    for sentinel in sentinels:
        eventually(lambda s=sentinel: len(ask(s, "SENTINELS", "main")) == 2 and ask(s, "SLAVES", "main"))  # type: ignore[misc]  # a lambda's default
    with (
        closing(RedisStore.from_url(several(*sentinels), timeout=TIMEOUT)) as store,
        closing(redis.Redis.from_url(replica.url)) as raw,
        asyncio.Runner() as runner,
    ):
        store.set({KEY: b"1"}, None)
        runner.run(store.native.set({b"other": b"1"}, None))
        primary.kill()
        with pytest.raises(BackendError):
            store.set({KEY: b"lost"}, None)
        eventually(lambda: role(replica) == "master")
        until_written(lambda operation, *args: getattr(store, operation)(*args), b"2", 5.0)
        assert raw.get(KEY) == b"2"
        runner.run(store.native.set({KEY: b"3"}, None))
        assert raw.get(KEY) == b"3"


def test_sentinels_and_servers_over_tls(caller: Callable[..., Any], watch: Watch, tmp_path: Path) -> None:
    """Both are verified; a Sentinel whose authority is unknown is refused."""
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    issued = authority.issue("127.0.0.1")
    trust = ["--tls-replication", "yes", "--tls-ca-cert-file", str(authority.file)]
    with RedisServer(tls=issued) as primary:
        sentinel = watch(primary, encrypted=True, tls=issued, options=trust)
        url = f"rediss+sentinel://127.0.0.1:{sentinel.tls_port}/main/0"
        call = caller(f"{url}?ssl_ca={authority.file}", timeout=2)
        call("set", {KEY: b"v"}, None)
        assert call("get", [KEY]) == [b"v"]
        with pytest.raises(BackendUnavailable, match="certificate"):
            caller(f"{url}?ssl_ca={stranger.file}", timeout=2)("get", [KEY])


def test_durability_is_asked_of_the_primary(watch: Watch, own_redis_server: Callable[..., RedisServer]) -> None:
    """The check follows the Sentinels too."""
    assert durability_check(watch(own_redis_server(appendonly="always")).url) == []
    assert len(durability_check(watch(own_redis_server()).url)) == 1


def test_what_a_url_says() -> None:
    """Hosts with and without a port, IPv6, an escaped password, no database."""
    place = Place("redis+sentinel://me:p%40ss@one,two:26380,[::1]:26381/my%20primary")
    assert place.servers == [Address("one", 26379), Address("two", 26380), Address("::1", 26381)]
    assert (place.service, place.db, place.auth) == ("my primary", 0, ("AUTH", "me", "p@ss"))
    assert Place("redis://:secret@host").auth == ("AUTH", "secret")
    assert Place("redis://host/7").servers == [Address("host", 6379)]
    assert Place("rediss://host?ssl_ca=/ca.pem").authorities == "/ca.pem"


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://canary@host:26379",
        "redis+sentinel://:canary@host:26379/",
        "redis+sentinel://:canary@host:port/main",
        "redis+sentinel://:canary@host/main/zero",
        "redis+sentinel://:canary@host/main/0/1",
        "redis+sentinel://:canary@host/main?ssl_ca=/ca.pem",
        "redis+cluster://:canary@host/0",
        "redis://:canary@one,two/0",
    ],
)
def test_a_url_that_means_nothing_is_refused_without_its_password(url: str) -> None:
    """What was expected is said, and nothing of what was given."""
    with pytest.raises(ConfigurationError) as caught:
        open_store(url)
    assert "canary" not in str(caught.value)
