"""The place of a drill: made for it alone, and gone afterwards, whatever happened."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pymysql
import pytest

from postrmagic_core.backups import scratch
from postrmagic_core.backups.scratch import Urls
from postrmagic_core.errors import ConfigurationError, DrillFailed
from postrmagic_core.testing import FakeClock, spawn
from postrmagic_core.testing.servers import MariaDBServer


@pytest.fixture
def clock() -> FakeClock:
    """Moved by hand."""
    return FakeClock()


def test_a_directory_is_made_and_removed(tmp_path: Path, clock: FakeClock) -> None:
    """It belongs to its user alone; an error in the block changes nothing of its end."""

    def interrupted() -> None:
        with scratch.directory(tmp_path / "drills", clock) as place:
            assert place.stat().st_mode & 0o777 == 0o700
            (place / "deep").mkdir()
            (place / "deep" / "file").write_bytes(b"x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list((tmp_path / "drills").iterdir()) == []


def test_a_directory_that_is_kept_stays_and_has_to_be_empty(tmp_path: Path, clock: FakeClock) -> None:
    """What stands there is nobody's to mix with."""
    with scratch.directory(tmp_path, clock, tmp_path / "kept") as place:
        (place / "file").write_bytes(b"x")
    assert (tmp_path / "kept" / "file").read_bytes() == b"x"
    with pytest.raises(ConfigurationError, match="holds something"), scratch.directory(tmp_path, clock, place):
        pass


def die_in_a_drill(parent: str) -> None:
    """In a process of its own: make a place, fill it, and be killed."""
    from postrmagic_core._clock import SystemClock

    with scratch.directory(Path(parent), SystemClock()) as place:
        (place / "app.db").write_bytes(b"x" * 1000)
        os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_killed_drill_left_is_removed_by_the_next(tmp_path: Path, clock: FakeClock) -> None:
    """At once, and nothing else: not that of one which goes on, nor what is not named so, nor what a link names."""
    with spawn(die_in_a_drill, str(tmp_path)) as child:
        assert child.wait(60) == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    (tmp_path / "drill-of-mine").mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / ("drill-" + "0" * 16)).symlink_to(elsewhere)
    with scratch.directory(tmp_path, clock) as one, scratch.directory(tmp_path, clock) as other:
        assert not left.exists()
        assert one.is_dir()
        assert other.is_dir()
    assert {path.name for path in tmp_path.iterdir()} == {"drill-of-mine", "elsewhere", "drill-" + "0" * 16}


def test_a_place_without_its_lock_is_removed_when_it_is_old(tmp_path: Path, clock: FakeClock) -> None:
    """Its maker may be about to lock it."""
    place = tmp_path / f"drill-{clock.now_us() // 1_000_000:08x}{'0' * 8}"
    place.mkdir()
    with scratch.directory(tmp_path, clock):
        assert place.exists()
    clock.advance(61)
    with scratch.directory(tmp_path, clock):
        assert not place.exists()


def test_a_file_is_a_place_for_sqlite(tmp_path: Path, clock: FakeClock) -> None:
    """Whatever else is set."""
    urls = Urls("mysql://root@127.0.0.1:1/app", "mysql://root@127.0.0.1:1/drill")
    with scratch.database("sqlite", tmp_path, urls, clock) as url:
        assert url == f"sqlite:///{tmp_path}/app.db"


@pytest.mark.parametrize(
    ("urls", "told"),
    [
        (Urls("sqlite:////app.db"), "DRILL_URL to a database of such a server"),
        (Urls("sqlite:////app.db", "mysql://root:s3cret@127.0.0.1:1/shop"), "has to hold `drill`"),
        (Urls("mysql://a:s3cret@127.0.0.1:1/drill", "mysql://root@LOCALHOST:1/drill"), "application's own"),
    ],
)
def test_a_place_that_is_none_is_refused(tmp_path: Path, clock: FakeClock, urls: Urls, told: str) -> None:
    """Before anything is connected to, and without a password in the words."""
    with pytest.raises(ConfigurationError, match=told) as caught, scratch.database("mariadb", tmp_path, urls, clock):
        pass
    assert "s3cret" not in str(caught.value)


class Server:
    """A server's databases, seen by a session of one's own."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.session = pymysql.connect(host=parts.hostname, port=parts.port or 3306, user="root", autocommit=True)

    def run(self, statement: str) -> list[str]:
        """The first column of what it answers."""
        with self.session.cursor() as cursor:
            cursor.execute(statement)
            return [str(row[0]) for row in cursor.fetchall()]

    def names(self, word: str) -> list[str]:
        """The databases whose name holds a word."""
        return [name for name in self.run("SHOW DATABASES") if word in name]


@pytest.fixture
def server(mariadb_server: MariaDBServer) -> Iterator[Server]:
    """The one of the run."""
    opened = Server(mariadb_server.url)
    yield opened
    opened.session.close()


@pytest.mark.mysql
def test_a_database_beside_the_application_s_is_made_and_dropped(
    tmp_path: Path, mariadb_url: str, server: Server, clock: FakeClock
) -> None:
    """Also where the block fails; the application's own need not be there."""
    name = urlsplit(mariadb_url).path[1:]
    server.run(f"DROP DATABASE `{name}`")

    def failing() -> None:
        with scratch.database("mariadb", tmp_path, Urls(mariadb_url), clock) as url:
            made = urlsplit(url).path[1:]
            assert server.names(f"{name}_drill_") == [made]
            server.run(f"CREATE TABLE `{made}`.t (a INT)")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        failing()
    assert server.names(f"{name}_drill_") == []


@pytest.mark.mysql
def test_a_database_that_a_killed_drill_left_is_dropped_by_the_next(
    tmp_path: Path, mariadb_url: str, server: Server, clock: FakeClock
) -> None:
    """Those of living drills stay, and those of other applications, and what is kept."""
    name = urlsplit(mariadb_url).path[1:]
    stamp = f"{clock.now_us() // 1_000_000:08x}{'0' * 8}"
    left, foreign = f"{name}_drill_{stamp}", f"other_{name}_drill_{stamp}"
    for each in (left, foreign, f"{name}_drill_of_mine", f"{name}x_drill_{stamp}"):
        server.run(f"CREATE DATABASE `{each}`")
    try:
        clock.advance(61)
        with (
            scratch.database("mariadb", tmp_path, Urls(mariadb_url), clock, keep=True) as kept,
            scratch.database("mariadb", tmp_path, Urls(mariadb_url), clock) as one,
        ):
            clock.advance(3600)
            with scratch.database("mariadb", tmp_path, Urls(mariadb_url), clock) as other:
                living = {urlsplit(url).path[1:] for url in (one, other)}
                assert {each for each in server.names(f"{name}_drill_") if each != foreign} == {
                    *living,
                    f"{name}_drill_of_mine",
                }
        stays = urlsplit(kept).path[1:]
        assert stays.startswith(f"{name}_kept_")
        assert set(server.names(name)) == {name, foreign, f"{name}_drill_of_mine", f"{name}x_drill_{stamp}", stays}
    finally:
        for each in server.names(name):
            if each != name:
                server.run(f"DROP DATABASE `{each}`")


@pytest.mark.mysql
def test_a_database_made_for_drills_is_empty_afterwards(
    tmp_path: Path, mariadb_server: MariaDBServer, server: Server, clock: FakeClock
) -> None:
    """It stands there still, since its user may not make another; a second drill meanwhile leaves it alone."""
    server.run("CREATE DATABASE drill_of_shop")
    try:
        given = urlsplit(mariadb_server.url)._replace(path="/drill_of_shop").geturl()
        with scratch.database("mariadb", tmp_path, Urls("sqlite:////app.db", given), clock) as url:
            assert urlsplit(url).path == "/drill_of_shop"
            server.run("CREATE TABLE drill_of_shop.t (a INT)")
            another = scratch.database("mariadb", tmp_path, Urls("sqlite:////app.db", given), clock)
            with pytest.raises(DrillFailed, match="another drill"), another:
                pass
            assert server.run("SHOW TABLES FROM drill_of_shop") == ["t"]
        assert server.run("SHOW TABLES FROM drill_of_shop") == []
    finally:
        server.run("DROP DATABASE IF EXISTS drill_of_shop")


@pytest.mark.mysql
def test_a_user_who_may_not_make_a_database_is_told_what_to_grant(
    tmp_path: Path, mariadb_url: str, server: Server, clock: FakeClock
) -> None:
    """And what to set instead; the password is not in it."""
    name = urlsplit(mariadb_url).path[1:]
    server.run("CREATE USER narrow@'127.0.0.1' IDENTIFIED BY 's3cret'")
    server.run(f"GRANT ALL ON `{name}`.* TO narrow@'127.0.0.1'")
    parts = urlsplit(mariadb_url)
    url = parts._replace(netloc=f"narrow:s3cret@127.0.0.1:{parts.port}").geturl()
    try:
        made = scratch.database("mariadb", tmp_path, Urls(url), clock)
        with pytest.raises(ConfigurationError, match=r"grant it ALL ON .*_drill") as caught, made:
            pass
        assert "s3cret" not in str(caught.value)
    finally:
        server.run("DROP USER narrow@'127.0.0.1'")
