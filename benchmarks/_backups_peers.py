"""The tools that one would put in a row: a dump, ``tar``, ``gzip`` and ``openssl``, each a process."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from sqlalchemy import make_url


def tools(*names: str) -> Callable[[], bool]:
    """Says that all of these are installed; :class:`ImportError` names the first that is not."""

    def look() -> bool:
        for name in names:
            if shutil.which(name) is None:
                raise ImportError(f"{name} is not installed", name=name)
        return True

    return look


class Pipeline:
    """A backup by hand of ``url`` and ``folder/media``: ``out.db`` and ``out.files``, as two streams are two files."""

    def __init__(self, url: str, folder: Path, out: Path) -> None:
        self._url, self._folder, self._out = make_url(url), folder, out
        self._key = folder / "peer.key"
        self._key.write_text("a key of the benchmark")
        self.name = "sqlite3 | tar | gzip | openssl" if self._is_file else "mariadb-dump | tar | gzip | openssl"

    @property
    def size(self) -> int:
        """Bytes of what was written last."""
        return sum(self._part(name).stat().st_size for name in ("db", "files"))

    def take(self) -> None:
        """The database, then the files."""
        if self._is_file:
            copy = self._folder / "peer-copy.db"
            copy.unlink(missing_ok=True)
            chained(["sqlite3", str(self._url.database), f".backup {copy}"])
            self._sealed(["cat", str(copy)], "db")
        else:
            self._sealed(["mariadb-dump", *self._server(), "--single-transaction", "--quick", self._name], "db")
        self._sealed(["tar", "-c", "-C", str(self._folder), "media"], "files")

    def restore(self, to: Path) -> None:
        """The files and a new file ``to/app.db``, or the same database of the server."""
        self._opened("files", ["tar", "-x", "-C", str(to)])
        if self._is_file:
            self._opened("db", ["dd", f"of={to / 'app.db'}", "bs=1M", "status=none"])
        else:
            self._opened("db", ["mariadb", *self._server(), self._name])

    @property
    def _is_file(self) -> bool:
        return self._url.drivername == "sqlite"

    @property
    def _name(self) -> str:
        return str(self._url.database)

    def _part(self, name: str) -> Path:
        return self._out.with_name(f"{self._out.name}.{name}")

    def _server(self) -> list[str]:
        url = self._url
        found = [f"--host={url.host}", f"--port={url.port}", f"--user={url.username}", "--protocol=tcp"]
        return [*found, f"--password={url.password}"] if url.password else found

    def _sealed(self, source: Sequence[str], part: str) -> None:
        seal = [
            "openssl",
            "enc",
            "-aes-256-ctr",
            "-pbkdf2",
            "-pass",
            f"file:{self._key}",
            "-out",
            str(self._part(part)),
        ]
        chained(source, ["gzip", "-1"], seal)
        with self._part(part).open("rb") as file:
            os.fsync(file.fileno())

    def _opened(self, part: str, sink: Sequence[str]) -> None:
        key = f"file:{self._key}"
        opening = ["openssl", "enc", "-d", "-aes-256-ctr", "-pbkdf2", "-pass", key, "-in", str(self._part(part))]
        chained(opening, ["gzip", "-d"], sink)


def chained(*commands: Sequence[str]) -> None:
    """Run them, each reading what the one before writes; :class:`RuntimeError` where one fails."""
    running: list[subprocess.Popen[bytes]] = []
    for number, command in enumerate(commands):
        source = running[-1].stdout if running else subprocess.DEVNULL
        sink = subprocess.PIPE if number < len(commands) - 1 else None
        running.append(subprocess.Popen(command, stdin=source, stdout=sink))
        if running[:-1] and running[-2].stdout is not None:
            running[-2].stdout.close()
    failed = [each.args for each in running if each.wait() != 0]
    if failed:
        raise RuntimeError(f"failed: {failed}")
