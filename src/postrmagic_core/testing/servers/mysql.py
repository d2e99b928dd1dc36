"""A private MySQL server: as unlike MariaDB as it has become, both speak ``mysql://``."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache as once
from pathlib import Path
from typing import ClassVar

from ._process import MissingServer
from ._template import cache, template
from .mariadb import MariaDBServer, as_root, which


class MySQLServer(MariaDBServer):
    """``mysqld`` of MySQL 8 or later with root and no password on 127.0.0.1, like :class:`MariaDBServer`.

    Found on PATH, or in ``~/.cache/postrmagic-core/mysql``: a file tree of another release of the system, unpacked
    beside it because MySQL and MariaDB cannot both be installed. It is started with its own libraries, needs no root
    and no chroot.
    """

    name: ClassVar[str] = "mysql"

    @classmethod
    def binary(cls) -> str | None:
        """Absolute path of MySQL's ``mysqld``; ``None`` when there is none, or only MariaDB's."""
        installed = which("mysqld")
        if installed is not None and _is_mysql(installed):
            return installed
        unpacked = _tree() / "usr/sbin/mysqld"
        return str(unpacked) if unpacked.is_file() else None

    def _prepare(self) -> None:
        command = _command(str(self.binary()))
        version = subprocess.run([*command, "--no-defaults", "--version"], capture_output=True, check=True).stdout
        shutil.copytree(template(self.name, version, lambda folder: _install(command, folder)), self.directory / "data")
        # It knows root@localhost, which without names is nobody.
        self._tell_first("CREATE USER IF NOT EXISTS root@'%';\nGRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;\n")

    def _argv(self) -> list[str]:
        here = self.directory
        (here / "tmp").mkdir(exist_ok=True)
        return [
            *_command(str(self.binary())),
            "--no-defaults",
            *_places(str(self.binary()), here / "data"),
            f"--tmpdir={here / 'tmp'}",
            f"--socket={here / 's'}",
            f"--pid-file={here / 'pid'}",
            f"--init-file={here / 'init.sql'}",
            f"--port={self.port}",
            f"--bind-address={self.host}",
            "--mysqlx=OFF",
            "--skip-name-resolve",
            "--skip-log-bin",
            "--innodb-buffer-pool-size=32M",
            "--max-connections=400",
            *self._options,
        ]


def _tree() -> Path:
    return cache() / "mysql"


@once
def _is_mysql(program: str) -> bool:
    said = subprocess.run([program, "--no-defaults", "--version"], capture_output=True, text=True, check=False)
    return said.returncode == 0 and "MariaDB" not in said.stdout


def _command(program: str) -> list[str]:
    """How to run ``program``: one out of the tree by its own dynamic loader, since it wants a newer C library."""
    tree = _tree()
    if not Path(program).is_relative_to(tree):
        return [program]
    loaders = sorted(tree.glob("usr/lib*/ld-linux-*.so.*")) + sorted(tree.glob("usr/lib/*/ld-linux-*.so.*"))
    libraries = sorted(tree.glob("usr/lib/*-linux-gnu*"))
    if not loaders or not libraries:
        raise MissingServer(f"{tree} holds no C library: remove it and unpack it again")
    return [str(loaders[0]), "--library-path", os.pathsep.join(map(str, libraries)), program]


def _places(program: str, data: Path) -> list[str]:
    base = Path(program).parent.parent
    return [*as_root(), f"--basedir={base}", f"--datadir={data}", "--secure-file-priv="]


def _install(command: list[str], directory: Path) -> None:
    arguments = ["--no-defaults", "--initialize-insecure", *_places(command[-1], directory)]
    small = ["--innodb-redo-log-capacity=8388608"]
    done = subprocess.run([*command, *arguments, *small], capture_output=True, text=True, check=False)
    if done.returncode:
        raise MissingServer(f"mysqld --initialize-insecure failed ({done.returncode}):\n{done.stderr[-2000:]}")
