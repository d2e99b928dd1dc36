"""The server's own dump program: what it is told, what it says, and what becomes of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from postrmagic_core._sql.mysql_server import MysqlServer
from postrmagic_core.backups.dumps.mysql import MysqlTarget, snapshot
from postrmagic_core.backups.dumps.mysql import tool as mysql_tool
from postrmagic_core.backups.interface import Noting, unreported
from postrmagic_core.backups.tables import runs
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import BackendError, BackupFailed, MissingExtra
from postrmagic_core.testing.certificates import Authority
from postrmagic_core.testing.servers import MariaDBServer
from tests.backups.mysql.hostile import keep, rows, run
from tests.databases import create_tables

pytestmark = pytest.mark.mysql

PASSWORD = "se\"c'r\\e#t ;x"


@pytest.fixture
def url(mariadb_server: MariaDBServer) -> Iterator[str]:
    """A database whose owner is none but its user, with a password that is hard to write."""
    root = mariadb_server.create_database()
    name = urlsplit(root).path.lstrip("/")
    told = PASSWORD.replace("\\", "\\\\").replace("'", "\\'")
    run(root, f"CREATE USER `{name}`@`%` IDENTIFIED BY '{told}'", f"GRANT ALL ON `{name}`.* TO `{name}`@`%`")
    parts = urlsplit(root)
    yield parts._replace(netloc=f"{name}:{quote(PASSWORD, safe='')}@{parts.hostname}:{parts.port}").geturl()
    run(root, f"DROP USER `{name}`@`%`")
    mariadb_server.drop_database(root)


def children() -> dict[int, bytes]:
    """The command lines and environments of the dump programs that this process runs."""
    found: dict[int, bytes] = {}
    for entry in Path("/proc").iterdir():
        with suppress(OSError, IndexError, ValueError):
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and b"dump" in (line := (entry / "cmdline").read_bytes()):
                found[int(entry.name)] = line + (entry / "environ").read_bytes()
    return found


def test_the_password_is_nowhere(url: str, tmp_path: Path) -> None:
    """Given a password, when the program runs with it, then it is in no list of processes and in no file."""
    run(url, "CREATE TABLE t (a LONGTEXT)", *["INSERT INTO t VALUES (REPEAT('x', 3000000))"] * 2)
    with snapshot(url, how="tool", workspace=tmp_path) as read:
        (seen,) = children().values()
        assert urlsplit(url).path.encode()[1:] in seen
        assert b"se" + b'"c' not in seen
        assert list(tmp_path.iterdir()) == []
        kept = keep(read)
    assert kept.manifest.database.tables == {"t": 2}
    assert children() == {}


def test_a_program_that_is_killed(url: str, tmp_path: Path) -> None:
    """Given a program that is killed in the middle, when its output ends, then the backup fails."""
    run(url, "CREATE TABLE t (a LONGTEXT)", *["INSERT INTO t VALUES (REPEAT('x', 3000000))"] * 4)

    def read_on() -> None:
        with snapshot(url, how="tool", workspace=tmp_path) as read:
            (process,) = children()
            os.kill(process, 9)
            keep(read)

    with pytest.raises(BackupFailed):
        read_on()


def test_a_program_that_is_left_ends(url: str, tmp_path: Path) -> None:
    """Given a backup that is given up, when the block is left, then the program does not run on."""
    run(url, "CREATE TABLE t (a LONGTEXT)", *["INSERT INTO t VALUES (REPEAT('x', 3000000))"] * 4)
    with snapshot(url, how="tool", workspace=tmp_path):
        assert children()
    assert children() == {}


def test_a_backup_that_is_killed_takes_the_program_with_it(url: str, tmp_path: Path) -> None:
    """Given a process that is killed while it takes a backup, when it is gone, then so are the program and its file."""
    run(url, "CREATE TABLE t (a LONGTEXT)", *["INSERT INTO t VALUES (REPEAT('x', 3000000))"] * 4)
    script = """
import sys, time
from pathlib import Path
from postrmagic_core.backups.dumps.mysql import snapshot
from tests.backups.mysql.test_tool import children
with snapshot(sys.argv[1], how="tool", workspace=Path(sys.argv[2])):
    sys.stdout.write(f"{list(children())[0]}\\n")
    sys.stdout.flush()
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", script, url, str(tmp_path)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        program = Path("/proc") / child.stdout.readline().decode().strip()
        assert b"dump" in (program / "cmdline").read_bytes()
        child.kill()
    ended = time.monotonic() + 10
    while (program / "cmdline").exists() and (program / "cmdline").read_bytes() and time.monotonic() < ended:
        time.sleep(0.02)
    assert not (program / "cmdline").exists() or not (program / "cmdline").read_bytes()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo 'DROP TABLE IF EXISTS `t`;'; echo 'CREATE TABLE `t` (a INT);'", "ended with status 0"),
        ("echo 'DROP TABLE IF EXISTS `t`;'; echo 'INSERT INTO `t` VALUES (1'", "within a statement"),
        ("echo 'DROP TABLE IF EXISTS `t`;'; echo '-- Dump completed'; echo broken >&2; exit 3", "status 3: broken"),
        ("echo 'DROP TABLE IF EXISTS `t`;'; echo 'INSERT INTO `t` VALUES (1'; kill -9 $$", "status -9"),
        ("echo '-- Dump completed'", "ended with status 0"),
        ("echo 'DROP TABLE IF EXISTS `t`;'; echo 'DROP DATABASE x;'", "not expected: DROP"),
        ("echo 'DROP TABLE IF EXISTS `t`;'; sleep 60", "wrote nothing"),
    ],
)
def test_an_output_that_is_not_whole(
    script: str, told: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a program that ends early, fails or says what is not expected, when it is read, then that is no backup."""
    run(url, "CREATE TABLE t (a INT)")
    program = tmp_path / "mariadb-dump"
    program.write_text(f"#!/bin/sh\nif [ $# = 2 ]; then echo MariaDB; exit 0; fi\n{script}\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(mysql_tool, "_SILENT", 1.0)
    with pytest.raises(BackupFailed, match=told), snapshot(url, how="tool", workspace=tmp_path) as read:
        keep(read)
    assert children() == {}


def test_by_tls(own_mariadb_server: Callable[..., MariaDBServer], tmp_path: Path) -> None:
    """Given a server that is reached by TLS alone, when the program reads it, then its certificate is checked."""
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    server = own_mariadb_server(options=[*authority.options("127.0.0.1"), "--require-secure-transport=ON"])
    url = f"{server.url}?ssl_ca={authority.file}"
    (tmp_path / "work").mkdir()
    with DatabaseManager(url) as manager:
        create_tables(manager, [runs])
    with snapshot(url, how="tool", workspace=tmp_path / "work") as read:
        assert keep(read).manifest.database.tables == {runs.name: 0}

    place = MysqlServer.from_url(f"{server.url}?ssl_ca={stranger.file}")
    program = shutil.which("mariadb-dump") or ""
    with (tmp_path / "options").open("w+b") as options:
        options.write(mysql_tool.option_file(place))
        options.flush()
        command = [program, f"--defaults-file={options.name}", place.database]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "certificate" in done.stderr.lower()


def test_without_the_program(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given no dump program, when it is asked for, then what to install is told."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingExtra, match="mariadb"), snapshot(url, how="tool", workspace=tmp_path):
        pass


@pytest.mark.parametrize("how", ["own", "tool"])
def test_a_wrong_password(how: str, url: str, tmp_path: Path) -> None:
    """Given a wrong password, when a backup is begun, then that is told at once, without the password."""
    wrong = url.replace(quote(PASSWORD, safe=""), "wrong-one")
    begun = time.monotonic()
    with (
        pytest.raises(BackendError, match="access was denied") as refused,
        snapshot(wrong, how=how, workspace=tmp_path),  # type: ignore[arg-type]  # one of the words
    ):
        pass
    assert time.monotonic() - begun < 10
    assert "wrong-one" not in str(refused.value)


def test_whoever_restores_is_the_definer(url: str, mariadb_server: MariaDBServer, tmp_path: Path) -> None:
    """Given views and triggers of another user, when somebody without rights there restores them, then it works."""
    root = mariadb_server.create_database()
    run(root, "CREATE TABLE t (a INT)", "CREATE VIEW v AS SELECT * FROM t")
    run(root, "CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1")
    with snapshot(root, how="own", workspace=tmp_path) as read:
        kept = keep(read)
    MysqlTarget(url, tmp_path).restore(kept, unreported)
    assert rows(url, "SELECT COUNT(*) FROM v") == ((0,),)
    ((definer,),) = rows(url, "SELECT definer FROM information_schema.triggers WHERE trigger_schema = DATABASE()")
    assert definer.startswith(urlsplit(url).path[1:])
    run(root, "CREATE PROCEDURE p() SELECT 1")
    mariadb_server.drop_database(root)


def test_a_text_that_may_not_be_read(url: str, mariadb_server: MariaDBServer, tmp_path: Path) -> None:
    """Given a routine whose text this user may not see, when a backup is taken, then it fails, naming the routine."""
    parts = urlsplit(url)
    run(mariadb_server.url.rsplit("/", 1)[0] + parts.path, "CREATE PROCEDURE secret() SELECT 1")
    with pytest.raises(BackupFailed, match="PROCEDURE `secret`"), snapshot(url, how="own", workspace=tmp_path):
        pass


def test_a_user_who_does_not_see_all(url: str, mariadb_server: MariaDBServer, tmp_path: Path) -> None:
    """Given a user to whom the server hides triggers and events, when a backup is taken, then that is noted."""
    name = urlsplit(url).path[1:]
    root = mariadb_server.url.rsplit("/", 1)[0] + f"/{name}"
    run(root, "CREATE TABLE t (a INT)", "CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1")
    for how, told in (("ALL", []), ("SELECT, SHOW VIEW", ["TRIGGER", "EVENT", "EXECUTE"])):
        run(root, f"REVOKE ALL ON `{name}`.* FROM `{name}`@`%`", f"GRANT {how} ON `{name}`.* TO `{name}`@`%`")
        with snapshot(url, how="own", workspace=tmp_path) as read:
            assert isinstance(read, Noting)
            assert [note.split(",")[0] for note in read.notes] == [f"the user lacks the right {word}" for word in told]


def test_a_database_of_one_table_alone(database_of: Callable[[str], str], tmp_path: Path) -> None:
    """Given a name of a table that looks like an option, when the program reads it, then as a table."""
    url = database_of("CREATE TABLE `--help` (a INT)")
    with snapshot(url, how="tool", workspace=tmp_path) as read:
        assert keep(read).manifest.database.tables == {"--help": 0}


@pytest.fixture
def database_of(mariadb_url: str) -> Callable[[str], str]:
    """Runs a statement in an empty database and gives its URL."""

    def make(statement: str) -> str:
        run(mariadb_url, statement)
        return mariadb_url

    return make
