"""A private MariaDB server, started in under a second from a data directory prepared once per user."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from ._process import MissingServer, ServerProcess
from ._template import template

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

_PLACES = ("/usr/sbin", "/usr/local/sbin", "/usr/libexec", "/usr/local/bin", "/opt/homebrew/bin")
_MAIN = "main"


class MariaDBServer(ServerProcess):
    """``mariadbd`` with root and no password on 127.0.0.1; ``url`` is ``mysql://root@127.0.0.1:PORT/main``.

    Commits are flushed as in production, so that an acknowledged commit survives :meth:`kill`. ``options`` are further
    command line arguments, for example ``["--max-connections=20"]``.
    """

    name: ClassVar[str] = "mariadb"

    @classmethod
    def binary(cls) -> str | None:
        """Absolute path of ``mariadbd``; ``None`` when it is not installed."""
        return which("mariadbd")

    def create_database(self) -> str:
        """The URL of a new empty utf8mb4 database with a random name."""
        name = f"t_{uuid4().hex[:16]}"
        with self._cursor() as cursor:
            cursor.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        return urlsplit(self.url)._replace(path=f"/{name}").geturl()

    def drop_database(self, url: str) -> None:
        """Drop the database that ``url`` names, after ending the connections that still use it."""
        name = urlsplit(url).path.lstrip("/")
        with self._cursor() as cursor:
            for connection in self._left_on(cursor, name):
                with contextlib.suppress(Exception):  # it may have ended by itself meanwhile
                    cursor.execute(f"KILL CONNECTION {int(connection)}")
            cursor.execute("SET SESSION lock_wait_timeout = 10")
            cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")

    def _left_on(self, cursor: Cursor, name: str) -> list[int]:
        """Connections that do not end by themselves; to kill one that is just ending has crashed MariaDB 10.11."""
        found: list[int] = []
        for _ in range(50):
            cursor.execute("SELECT id FROM information_schema.processlist WHERE db = %s", (name,))
            found = [int(row[0]) for row in cursor.fetchall()]
            if not found:
                return []
            time.sleep(0.01)
        return found

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[Cursor]:
        import pymysql

        parts = urlsplit(self.url)
        connection = pymysql.connect(
            host=parts.hostname or self.host,
            port=parts.port or 3306,
            user=unquote(parts.username or "root"),
            password=unquote(parts.password or ""),
            autocommit=True,
            connect_timeout=10,
            read_timeout=30,
            ssl_disabled=True,  # otherwise each connect loads the machine's CA bundle: most of what a short test costs
        )
        try:
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    def _prepare(self) -> None:
        version = subprocess.run([str(self.binary()), "--no-defaults", "--version"], capture_output=True, check=True)
        shutil.copytree(template(self.name, version.stdout, _install), self.directory / "data")
        self._tell_first("")

    def _tell_first(self, statements: str) -> None:
        """What the server does at each start before it answers."""
        database = f"CREATE DATABASE IF NOT EXISTS {_MAIN} CHARACTER SET utf8mb4;\n"
        (self.directory / "init.sql").write_text(database + statements)

    def _argv(self) -> list[str]:
        here = self.directory
        # Its own: a server that starts deletes what others have left, or still use, in the directory that all share.
        (here / "tmp").mkdir(exist_ok=True)
        return [
            str(self.binary()),
            "--no-defaults",
            *as_root(),
            f"--datadir={here / 'data'}",
            f"--tmpdir={here / 'tmp'}",
            f"--socket={here / 's'}",
            f"--pid-file={here / 'pid'}",
            f"--init-file={here / 'init.sql'}",
            f"--port={self.port}",
            f"--bind-address={self.host}",
            "--skip-name-resolve",
            "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_bin",
            "--innodb-buffer-pool-size=32M",
            "--innodb-log-file-size=16M",
            "--innodb-flush-method=fsync",
            "--innodb-use-native-aio=0",
            "--max-connections=400",
            *self._options,
        ]

    def _url(self) -> str:
        return f"mysql://root@{self.host}:{self.port}/{_MAIN}"

    def _answers(self) -> bool:
        # The server speaks first: 3 bytes of length, a sequence number, then protocol version 10.
        return self._exchange(b"")[4:5] == b"\x0a"


def _install(directory: Path) -> None:
    installer = which("mariadb-install-db")
    if installer is None:
        raise MissingServer("mariadbd is installed, but mariadb-install-db is not: install the whole server package")
    arguments = [f"--datadir={directory}", "--auth-root-authentication-method=normal", "--skip-test-db", *as_root()]
    command = [installer, "--no-defaults", *arguments, "--innodb-log-file-size=16M"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stdout[-2000:] + done.stderr[-2000:]
        raise MissingServer(f"mariadb-install-db failed ({done.returncode}):\n{said}")


def as_root() -> list[str]:
    """The option without which these servers refuse to run as root."""
    return ["--user=root"] if os.getuid() == 0 else []


def which(program: str) -> str | None:
    """Where ``program`` is, looked for in the folders of servers too."""
    return shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", ""), *_PLACES]))
