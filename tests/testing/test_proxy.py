"""FaultProxy: each fault bites, bites exactly where told, says so, and heals."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from urllib.parse import urlsplit

import pymysql
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from postrmagic_core.testing.proxy import FaultProxy
from postrmagic_core.testing.servers import RedisServer

pytestmark = [pytest.mark.fault, pytest.mark.redis]


@pytest.fixture
def proxy(redis_url: str) -> Iterator[FaultProxy]:
    """A proxy in front of an empty Redis database."""
    with FaultProxy(redis_url) as between:
        yield between


@pytest.fixture
def direct(redis_url: str) -> Iterator[redis.Redis]:
    """A client past the proxy: what the server really holds."""
    with closing(redis.Redis.from_url(redis_url)) as client:
        yield client


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[redis.Redis]:
    """A client through the proxy: one try, already connected."""
    with closing(redis.Redis.from_url(proxy.url, socket_timeout=10, retry=Retry(NoBackoff(), 0))) as made:
        made.ping()
        yield made


@pytest.fixture
def hasty(proxy: FaultProxy) -> Iterator[redis.Redis]:
    """Another, which waits for 0.2 s; connected too, in as many tries as a busy machine needs."""
    with closing(redis.Redis.from_url(proxy.url, socket_timeout=0.2, retry=Retry(NoBackoff(), 0))) as made:
        for _ in range(100):
            with suppress(redis.TimeoutError):
                made.ping()
                break
        yield made


def test_without_a_fault_everything_passes(proxy: FaultProxy, client: redis.Redis, direct: redis.Redis) -> None:
    """A megabyte goes there and back unharmed and nothing is counted."""
    value = bytes(range(256)) * 4096
    client.set("k", value)
    assert client.get("k") == direct.get("k") == value
    assert (proxy.hits, proxy.connections, proxy.accepted) == (0, 1, 1)


def test_latency_delays_replies(proxy: FaultProxy, client: redis.Redis) -> None:
    """A reply comes late but whole, and after healing at once."""
    proxy.latency(0.15)
    began = time.monotonic()
    assert client.ping()
    assert time.monotonic() - began >= 0.15
    assert proxy.hits == 1


@pytest.mark.parametrize("direction", ["both", "requests"])
def test_a_blackholed_request_never_arrives_before_healing(
    proxy: FaultProxy, client: redis.Redis, hasty: redis.Redis, direct: redis.Redis, direction: str
) -> None:
    """The client times out on an open connection; the server has seen nothing."""
    proxy.blackhole("both" if direction == "both" else "requests")
    with pytest.raises(redis.TimeoutError):
        hasty.incr("n")
    assert direct.get("n") is None
    assert proxy.hits >= 1
    proxy.heal()
    assert client.ping()


def test_a_blackholed_reply_leaves_the_effect(proxy: FaultProxy, hasty: redis.Redis, direct: redis.Redis) -> None:
    """One way only: the server did it, the client cannot know."""
    proxy.blackhole("replies")
    with pytest.raises(redis.TimeoutError):
        hasty.incr("n")
    assert direct.get("n") == b"1"
    assert proxy.hits == 1


def test_a_held_reply_arrives_after_healing(proxy: FaultProxy) -> None:
    """As on a route that comes back: who kept the connection and asks again reads the old reply first."""
    address = ("127.0.0.1", proxy.port)
    with socket.create_connection(address, 5) as raw:
        proxy.blackhole("replies")
        raw.sendall(b"ECHO old\r\n")
        while not proxy.hits:
            threading.Event().wait(0.001)
        proxy.heal()
        raw.sendall(b"ECHO new\r\n")
        assert raw.recv(100).startswith(b"$3\r\nold")


def test_refuse_is_a_server_that_is_down(proxy: FaultProxy, client: redis.Redis) -> None:
    """Open connections break, new ones are refused; healed, the same URL works."""
    proxy.refuse()
    assert proxy.hits == 1
    for _ in range(2):
        with pytest.raises(redis.ConnectionError):
            client.ping()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", proxy.port), 1)
    proxy.heal()
    assert client.ping()


def test_a_sweep_over_the_cut_ends_where_the_reply_ends(proxy: FaultProxy) -> None:
    """A cut behind the last byte never bites: hits == 0 tells a sweep over every byte that it is done."""
    with socket.create_connection(("127.0.0.1", proxy.port), 5) as raw:
        proxy.cut(len(b"+PONG\r\n"), on=b"PING")
        raw.sendall(b"PING\r\n")
        assert raw.recv(100) == b"+PONG\r\n"
        assert proxy.hits == 0


def test_reset_all_breaks_what_is_open_and_lets_new_ones_pass(proxy: FaultProxy) -> None:
    """As a server that kills its connections, or a firewall that forgot them."""
    with socket.create_connection(("127.0.0.1", proxy.port), 5) as raw:
        raw.sendall(b"PING\r\n")
        assert raw.recv(100) == b"+PONG\r\n"
        proxy.reset_all()
        assert proxy.hits == 1
        with pytest.raises(ConnectionResetError):
            raw.recv(100)
    with socket.create_connection(("127.0.0.1", proxy.port), 5) as raw:
        raw.sendall(b"PING\r\n")
        assert raw.recv(100) == b"+PONG\r\n"


def test_redirect_leads_new_connections_elsewhere(
    proxy: FaultProxy, client: redis.Redis, own_redis_server: Callable[..., RedisServer]
) -> None:
    """Who is connected stays where it is."""
    client.set("k", "here")
    proxy.redirect(own_redis_server().url)
    assert client.get("k") == b"here"
    with closing(redis.Redis.from_url(proxy.url)) as another:
        assert another.get("k") is None


@pytest.mark.parametrize("how", ["close", "reset", "hang"])
def test_an_armed_cut_loses_exactly_the_reply_of_its_request(
    proxy: FaultProxy, client: redis.Redis, hasty: redis.Redis, direct: redis.Redis, how: str
) -> None:
    """Others pass before and after; the matching request is done on the server, once, and its reply is lost."""
    proxy.cut(on=b"INCR", how="close" if how == "close" else "reset" if how == "reset" else "hang")
    assert client.ping()
    assert proxy.hits == 0
    with pytest.raises((redis.ConnectionError, redis.TimeoutError)):
        hasty.incr("n")
    assert proxy.hits == 1
    assert direct.get("n") == b"1"
    assert client.incr("n") == 2


@pytest.mark.parametrize("after", [0, 1, 4, 7, 16])
def test_a_cut_lets_that_many_bytes_through(proxy: FaultProxy, after: int) -> None:
    """Bytes are counted from the reply of the matching request, whatever passed before; then comes the end."""
    with socket.create_connection(("127.0.0.1", proxy.port), 5) as raw:
        raw.sendall(b"PING\r\n")
        assert raw.recv(100) == b"+PONG\r\n"
        proxy.cut(after, on=b"ECHO")
        raw.sendall(b"ECHO 0123456789\r\n")
        got = b""
        while piece := raw.recv(100):
            got += piece
        assert got == b"$10\r\n0123456789\r\n"[:after]
        assert proxy.hits == 1


def test_a_reset_is_an_rst(proxy: FaultProxy) -> None:
    """The client's socket reports ECONNRESET, not an orderly end."""
    with socket.create_connection(("127.0.0.1", proxy.port), 5) as raw:
        proxy.cut(how="reset")
        raw.sendall(b"PING\r\n")
        with pytest.raises(ConnectionResetError):
            raw.recv(100)


def test_a_pattern_is_found_across_two_packets(proxy: FaultProxy) -> None:
    """The client may send a command in pieces."""
    with socket.create_connection(("127.0.0.1", proxy.port), 5) as raw:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        proxy.cut(on=b"PING")
        raw.sendall(b"PI")
        threading.Event().wait(0.05)
        raw.sendall(b"NG\r\n")
        assert raw.recv(100) == b""
    assert proxy.hits == 1


def test_times_bounds_how_often_it_bites(proxy: FaultProxy, client: redis.Redis) -> None:
    """times=2 cuts two replies and then heals by itself; times=None goes on."""
    proxy.cut(on=b"INCR", times=2)
    for _ in range(2):
        with pytest.raises(redis.ConnectionError):
            client.incr("n")
    assert client.incr("n") == 3
    proxy.cut(times=None)
    for _ in range(4):
        with pytest.raises(redis.ConnectionError):
            client.ping()
    assert proxy.hits >= 4


def test_slices_arrive_whole(proxy: FaultProxy, client: redis.Redis) -> None:
    """A reply in single bytes is the same reply: parsers must wait for the rest."""
    proxy.slice(1)
    client.set("k", "0123456789")
    assert client.get("k") == b"0123456789"
    assert proxy.hits == 2


@pytest.mark.mysql
def test_a_commit_whose_reply_is_lost_has_happened(mariadb_url: str) -> None:
    """Armed on COMMIT, the proxy makes the one fault that a client cannot decide."""

    def connect(url: str) -> pymysql.Connection[pymysql.cursors.Cursor]:
        parts = urlsplit(url)
        return pymysql.connect(
            host=parts.hostname, port=parts.port or 0, user="root", database=parts.path[1:], read_timeout=5
        )

    with (
        FaultProxy(mariadb_url) as between,
        closing(connect(mariadb_url)) as past,
        closing(connect(between.url)) as through,
    ):
        past.cursor().execute("CREATE TABLE t (n INT)")
        between.cut(on=b"COMMIT")
        through.cursor().execute("INSERT INTO t VALUES (1)")
        with pytest.raises(pymysql.OperationalError):
            through.commit()
        assert between.hits == 1
        with past.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM t")
            assert cursor.fetchone() == (1,)


def test_closing_leaves_nothing(redis_url: str) -> None:
    """No thread, no connection and no listener remains, also when closed in the middle of a fault."""
    before = threading.active_count()
    with FaultProxy(redis_url) as between, socket.create_connection(("127.0.0.1", between.port), 5) as raw:
        between.blackhole()
        raw.sendall(b"PING\r\n")
        port = between.port
        between.close()
        assert threading.active_count() == before
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 1)


def test_a_dead_server_is_seen_through_it(own_redis_server: Callable[..., RedisServer]) -> None:
    """When the server behind is gone, connections through the proxy end at once."""
    server = own_redis_server()
    with FaultProxy(server.url) as between:
        server.kill()
        with (
            closing(redis.Redis.from_url(between.url, retry=Retry(NoBackoff(), 0))) as late,
            pytest.raises(redis.ConnectionError),
        ):
            late.ping()


def test_a_url_without_a_port_is_refused() -> None:
    """The proxy must know whom to stand in front of."""
    with pytest.raises(ValueError, match="host and port"):
        FaultProxy("sqlite:///x.db")
