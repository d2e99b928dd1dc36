"""`postrmagic doctor` on servers: such as are well, set up wrongly, silent, away, or something else altogether."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pymysql
import pytest
import redis
from redis.exceptions import ResponseError

from postrmagic_core.cli.diagnosis import rabbitmq, redis_server, sql_server
from postrmagic_core.cli.diagnosis.examining import BOUND
from postrmagic_core.cli.diagnosis.places import local, shown
from postrmagic_core.testing.proxy import FaultProxy
from postrmagic_core.testing.servers import MariaDBServer, RedisServer
from tests.cli.doctoring import CANARY, Patient, finding, named

# Seconds that a busy machine may add to a promised time.
SLACK = 5.0
HTTP = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

Use = Callable[..., None]


@pytest.fixture
def patient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Patient:
    """Who is looked at."""
    return Patient(tmp_path, monkeypatch)


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    """Sets URLs of rooms, ``use(cache=url)``, in development or in production."""

    def set_urls(*, production: bool = False, **urls: str) -> None:
        monkeypatch.setenv("POSTRMAGIC_STACK__ENVIRONMENT", "production" if production else "development")
        for room, url in urls.items():
            monkeypatch.setenv(f"POSTRMAGIC_{room.upper()}__URL", url)

    return set_urls


@contextmanager
def saying(words: bytes) -> Iterator[int]:
    """A server that says the same to everybody, whatever it is asked; its port."""

    class Says(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.settimeout(0.2)
            try:
                self.request.sendall(words)
                self.request.recv(4096)
            except OSError:
                return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Says) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=[0.05], daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_hosts_are_here_or_elsewhere() -> None:
    """By name and by number."""
    assert [local(host) for host in ("localhost", "127.0.0.9", "::1", "db", "10.0.0.1", "")] == [
        True,
        True,
        True,
        False,
        False,
        True,
    ]


@pytest.mark.parametrize("password", ["c4n4ry", "c4n%3F4ry", "c4?n4ry", "c4@n4ry", "c4/n4ry#"])
def test_a_url_is_shown_without_its_password(password: str) -> None:
    """However it is written, also where the URL is none."""
    told = shown(f"redis://app:{password}@host/0")
    assert password not in told
    assert "c4" not in told
    assert "ry" not in told


@pytest.mark.redis
def test_a_redis_that_forgets_is_told_by_room(patient: Patient, use: Use, redis_url: str) -> None:
    """Without a file, sessions and jobs may be lost, and the cache may; jobs would be refused at the start."""
    use(cache=redis_url, jobs=redis_url, sessions=redis_url, limits=redis_url)
    found = patient.found("redis")
    assert finding(found, r"\(cache, sessions, limits, jobs\) answers").state == "ok"
    assert finding(found, "appendonly is off").state == "problem"
    use(jobs=f"{redis_url}?durability=none")
    assert finding(patient.found("redis"), "appendonly is off").state == "advice"
    use(production=True)
    assert finding(patient.found("redis"), "appendonly is off").state == "problem"


@pytest.mark.redis
def test_a_cache_alone_may_forget(patient: Patient, use: Use, redis_url: str) -> None:
    """Nothing is said of it; and the near side of a tiered one is no part of the server's URL."""
    use(cache=f"tiered+{redis_url}?near_mb=1")
    assert [one.state for one in patient.found("redis")] == ["ok"]


@pytest.mark.redis
def test_who_may_do_little_is_told_what_is_lacking(patient: Patient, use: Use, redis_server: RedisServer) -> None:
    """A wrong password, and a user without the rights; neither the password nor the URL's is shown."""
    place = redis_server.url.removeprefix("redis://")
    with closing(redis.Redis.from_url(redis_server.url)) as raw:
        name = "doctored"
        raw.acl_setuser(
            name, enabled=True, passwords=[f"+{CANARY}"], commands=["+@all", "-time", "-evalsha"], keys=["*"]
        )
        try:
            use(cache=f"redis://{name}:{CANARY}@{place}", sessions=f"redis://{name}:{CANARY}x@{place}")
            found = patient.found("redis")
        finally:
            raw.acl_deluser(name)
    assert finding(found, "may not call TIME, EVALSHA").do.endswith("+time +evalsha")
    assert finding(found, r"\(sessions\) refuses us").state == "problem"


@pytest.mark.redis
def test_a_redis_that_is_set_up_for_a_cache(patient: Patient, use: Use, own_redis_server: Any) -> None:
    """Evicting is wrong for jobs, refusing is wrong for a cache, and one for both is a compromise."""
    server: RedisServer = own_redis_server(appendonly="always", maxmemory=3_000_000, policy="allkeys-lru")
    use(cache=server.url, jobs=server.url)
    found = patient.found("redis")
    assert finding(found, "maxmemory-policy is allkeys-lru").state == "problem"
    assert finding(found, "cache and jobs share one server").state == "advice"
    with closing(redis.Redis.from_url(server.url)) as raw:
        raw.config_set("maxmemory-policy", "noeviction")
        use(jobs=f"sqlite:///{patient.directory}/jobs.db")
        assert "a full cache refuses" in named(patient.found("redis"), "advice")
        for number in range(3000):
            try:
                raw.set(f"key:{number}", b"x" * 1000)
            except ResponseError:
                break
        assert "of its memory are used" in named(patient.found("redis"), "advice")


def info(**changed: str) -> dict[str, str]:
    """What a server that is well says of itself, changed."""
    return {"redis_version": "7.0.15", "role": "master", "maxmemory": "0", "used_memory": "1000000", **changed}


@pytest.mark.parametrize(
    ("changed", "state", "word"),
    [
        ({"redis_version": "6.2.1"}, "problem", "too old"),
        ({"role": "slave", "master_host": "db1"}, "problem", "replica of db1"),
        ({"rdb_last_bgsave_status": "err"}, "problem", "write to its disk"),
        ({"aof_last_write_status": "err"}, "problem", "write to its disk"),
        ({"loading": "1"}, "advice", "reading its data"),
        ({"maxmemory": "1050000"}, "problem", "95% of its memory"),
    ],
)
def test_what_a_redis_says_of_itself(changed: dict[str, str], state: str, word: str) -> None:
    """Each of these alone."""
    (told,) = redis_server.judged(info(**changed), ["sessions"], production=True)
    assert (told.state, word in told.found) == (state, True)


def test_a_redis_that_is_well_says_nothing() -> None:
    """Neither in production."""
    assert list(redis_server.judged(info(), ["sessions", "jobs"], production=True)) == []


@pytest.mark.redis
@pytest.mark.fault
def test_servers_that_are_silent(patient: Patient, use: Use, redis_server: RedisServer) -> None:
    """Given black holes in every place, the look ends in its time, and each is told as what it is."""
    with FaultProxy(redis_server.url) as proxy:
        proxy.blackhole()
        port = proxy.port
        use(
            database=f"mysql://app:{CANARY}@127.0.0.1:{port}/app",
            cache=f"redis://:{CANARY}@127.0.0.1:{port}/0",
            sessions=f"redis://:{CANARY}@127.0.0.1:{port}/1",
            limits=f"redis://:{CANARY}@127.0.0.1:{port}/2",
            jobs=f"amqp://app:{CANARY}@127.0.0.1:{port}/",
        )
        began = time.monotonic()
        found = patient.found("database", "redis", "rabbitmq", "schema", "work", "backups")
        assert time.monotonic() - began < BOUND + SLACK
        assert proxy.accepted >= 5
    assert finding(found, "mysql://app@127.0.0.1:.* does not answer").state == "problem"
    assert len([one for one in found if one.area == "redis" and "is silent" in one.found]) == 3
    assert finding(found, "does not let us in").state == "problem"
    assert {one.state for one in found if one.area in ("schema", "work")} == {"unknown"}


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(HTTP, id="http"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="ssh"),
        pytest.param(b"\x00" * 64, id="zeros"),
        pytest.param(b"\x15\x03\x01\x00\x02\x02\x46", id="tls"),
    ],
)
def test_something_else_at_their_port(patient: Patient, use: Use, words: bytes) -> None:
    """A web server, SSH, noise and TLS are a problem of that server, not of the doctor."""
    with saying(words) as port:
        use(
            database=f"mysql://app:{CANARY}@127.0.0.1:{port}/app",
            cache=f"redis://:{CANARY}@127.0.0.1:{port}/0",
            jobs=f"amqp://app:{CANARY}@127.0.0.1:{port}/",
        )
        found = patient.found("database", "redis", "rabbitmq", "schema")
    problems = {one.area for one in found if one.state == "problem"}
    assert problems == {"database", "redis", "rabbitmq"}


def test_servers_that_are_not_there(patient: Patient, use: Use) -> None:
    """A port at which nobody listens, and URLs that are none."""
    use(database="mysql://app@127.0.0.1:1/app", cache="redis://127.0.0.1:1/0", jobs="amqp://127.0.0.1:1/")
    found = patient.found("database", "redis", "rabbitmq")
    assert [one.state for one in found] == ["problem"] * 3
    use(cache=f"redis://:{CANARY}@[::1/0", limits=f"sqlite://{CANARY}[", jobs="amqp://[", events=f"redis://[{CANARY}")
    found = patient.found("packages", "files", "database", "redis", "rabbitmq", "schema", "work", "backups")
    assert named(found, "unknown").count("could not be looked at") == 0
    assert finding(found, r"cache\.url: expected a URL").state == "problem"
    assert finding(found, "jobs.url is not understood").state == "problem"
    use(database=f"mysql://app:{CANARY}@[::1/app", events="memory://", limits="memory://")
    found = patient.found("packages", "files", "database", "schema", "work", "backups")
    assert named(found, "unknown").count("could not be looked at") == 0
    assert finding(found, r"database\.url: expected a URL").state == "problem"
    use(
        database=f"mysql://app:{CANARY}@/", cache=f"redis://app:{CANARY}@host:port/x", jobs=f"amqp://a:{CANARY}@h:port/"
    )
    found = patient.found("database", "redis", "rabbitmq", "schema", "work", "backups", "files")
    assert {one.area for one in found if one.state == "problem"} == {"database", "redis", "rabbitmq"}


@pytest.mark.mysql
def test_a_mariadb_that_is_well(patient: Patient, use: Use, mariadb_url: str) -> None:
    """It answers, keeps what it acknowledged, has room, and nothing in it was changed."""
    use(database=mariadb_url, production=True)
    found = patient.found("database")
    assert named(found, "problem") == ""
    assert "may do everything on the server" in named(found, "advice")
    assert len([one for one in found if one.state != "ok"]) == 1
    assert "survives" in named(found)
    assert "max_connections is 400, and a process of ours opens 30 at the most: 13 fit" in named(found)


@pytest.mark.mysql
def test_a_database_that_lacks_characters_and_transactions(
    patient: Patient, use: Use, mariadb_url: str, mariadb_server: MariaDBServer
) -> None:
    """Its character set, and a table of another engine, by name and with what to run."""
    name = mariadb_url.rpartition("/")[2]
    with closing(_connected(mariadb_server.url)) as connection, connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE `{name}` CHARACTER SET latin1")
        cursor.execute(f"CREATE TABLE `{name}`.`old` (id INT) ENGINE=MyISAM")
    use(database=mariadb_url)
    wrong = named(patient.found("database"), "problem")
    assert "latin1" in wrong
    assert "ALTER TABLE `old` ENGINE=InnoDB" in wrong


@pytest.mark.mysql
def test_who_is_not_let_in(patient: Patient, use: Use, mariadb_server: MariaDBServer) -> None:
    """A wrong password, a database that is not there; and who may read alone cannot work."""
    place = mariadb_server.url.partition("@")[2].partition("/")[0]
    for url in (f"mysql://nobody:{CANARY}@{place}/main", f"mysql://root@{place}/not_there"):
        use(database=url)
        assert "refuses us" in named(patient.found("database"), "problem")
    with closing(_connected(mariadb_server.url)) as connection, connection.cursor() as cursor:
        cursor.execute(f"GRANT SELECT ON main.* TO doctored@'%' IDENTIFIED BY '{CANARY}'")
        try:
            use(database=f"mysql://doctored:{CANARY}@{place}/main")
            assert "may not write" in named(patient.found("database"), "problem")
        finally:
            cursor.execute("DROP USER doctored@'%'")


def _connected(url: str) -> Any:
    return pymysql.connect(
        host="127.0.0.1", port=int(url.rpartition(":")[2].partition("/")[0]), user="root", ssl_disabled=True
    )


@pytest.mark.mysql
@pytest.mark.soak
def test_a_mariadb_that_is_set_up_for_speed(patient: Patient, use: Use, own_mariadb_server: Any) -> None:
    """A real one that forgets, takes no writes and few connections; in production these are problems."""
    server: MariaDBServer = own_mariadb_server(
        options=[
            "--innodb-flush-log-at-trx-commit=2",
            "--skip-innodb-doublewrite",
            "--log-bin",
            "--server-id=1",
            "--sync-binlog=0",
            "--max-connections=40",
            "--max-allowed-packet=1M",
            "--read-only=ON",
        ]
    )
    use(database=server.url, production=True)
    found = patient.found("database")
    wrong, better = named(found, "problem"), named(found, "advice")
    for text in ("innodb_flush_log_at_trx_commit is 2", "innodb_doublewrite", "read_only", "max_connections is 40"):
        assert text in wrong
    for text in ("sync_binlog is 0", "max_allowed_packet is 1048576"):
        assert text in better


@pytest.mark.mysql
@pytest.mark.soak
def test_a_mysql_that_is_well(patient: Patient, use: Use, mysql_url: str) -> None:
    """As MariaDB is."""
    use(database=mysql_url, production=True)
    found = patient.found("database", "schema", "work")
    assert named(found, "unknown") == ""
    assert "survives" in named(found)
    assert "there are no tables" in named(found) or "revision none" in named(found, "problem")


def test_versions_of_databases_are_judged() -> None:
    """Too old, old enough to lock what it reads, new; and what no version is."""
    judged = {
        text: [one.state for one in sql_server.version(text)]
        for text in (
            "10.5.23-MariaDB",
            "10.6.17-MariaDB-log",
            "10.6.18-MariaDB",
            "10.11.8-MariaDB",
            "11.3.2-MariaDB",
            "11.4.2-MariaDB",
            "5.7.44",
            "8.0.36",
            "8.4.0",
            "unheard of",
        )
    }
    assert list(judged.values()) == [
        ["problem"],
        ["advice"],
        [],
        [],
        ["advice"],
        [],
        ["problem"],
        [],
        [],
        ["unknown"],
    ]


def test_variables_of_databases_are_judged() -> None:
    """What is lost by each, and by none where they are as they should be."""
    good = {"innodb_flush_log_at_trx_commit": "1", "innodb_doublewrite": "ON", "log_bin": "ON", "sync_binlog": "1"}
    assert [one.state for one in sql_server.durable(good, True)] == ["ok"]
    for name, value, state in (
        ("innodb_flush_log_at_trx_commit", "0", "problem"),
        ("innodb_flush_log_at_trx_commit", "2", "problem"),
        ("innodb_doublewrite", "OFF", "problem"),
        ("sync_binlog", "0", "advice"),
    ):
        assert state in [one.state for one in sql_server.durable({**good, name: value}, True)]


def test_clocks_are_compared() -> None:
    """A second is noticed, half a minute is wrong; what may be the way there is not."""
    ahead = [[one.state for one in sql_server.skew("it", seconds, 0.1)] for seconds in (0.5, -3.0, 40.0)]
    assert ahead == [[], ["advice"], ["problem"]]
    assert list(sql_server.skew("it", 3.0, 2.5)) == []


def test_what_passes_in_clear_is_told() -> None:
    """To another machine; not to this one, nor by TLS."""
    assert [one.state for one in sql_server.encrypted("db", "", True)] == ["problem"]
    assert [one.state for one in sql_server.encrypted("db", "", False)] == ["advice"]
    assert list(sql_server.encrypted("localhost", "", True)) == list(sql_server.encrypted("db", "/ca.pem", True)) == []


def test_a_rabbitmq_is_judged_by_what_it_says() -> None:
    """Bytes as the protocol has them; a version that is too old."""
    assert [one.state for one in rabbitmq.judged("it", {"product": b"RabbitMQ", "version": b"3.10.8"})] == ["ok"]
    assert [one.state for one in rabbitmq.judged("it", {"version": "3.7.28"})] == ["problem"]
    assert [one.state for one in rabbitmq.judged("it", {})] == ["ok"]


@pytest.mark.rabbitmq
@pytest.mark.soak
def test_a_rabbitmq_that_is_well(patient: Patient, use: Use, rabbitmq_url: str) -> None:
    """It answers, and a virtual host that is not there does not let us in."""
    use(jobs=rabbitmq_url)
    assert finding(patient.found("rabbitmq"), "answers: RabbitMQ").state == "ok"
    use(jobs=f"{rabbitmq_url}_not_there")
    assert finding(patient.found("rabbitmq"), "does not let us in").state == "problem"
