"""Which versions stood beside each other: of this package, of the peers, and of the servers."""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
import sqlite3
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from postrmagic_core.testing.servers import MariaDBServer, RabbitMQServer, RedisServer

ROOT: Final = Path(__file__).parents[1]
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_VERSION = re.compile(r"\d+\.\d+(?:\.\d+)*")
# What shows a result and does not make it.
_SHOWN = {"_goals.py", "goals.toml", "_page.py", "_plots.py", "_svg.py", "_suite.py", "_compare.py", "__main__.py"}


def packages() -> dict[str, str]:
    """This package, what it requires and the peers, by name; who is not installed is left out."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)
    extras = project["project"]["optional-dependencies"].values()
    wanted = [*project["project"]["dependencies"], *(one for extra in extras for one in extra)]
    wanted += [one for one in project["dependency-groups"]["peers"] if isinstance(one, str)]
    names = sorted({name[0].lower() for one in wanted if (name := _NAME.match(one))})
    return dict(_installed(["postrmagic-core", *(name for name in names if name != "postrmagic-core")]))


def _installed(names: list[str]) -> Iterator[tuple[str, str]]:
    for name in names:
        try:
            yield name, importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue


def servers() -> dict[str, str]:
    """Those that the benchmarks start themselves, by what their programs say of themselves."""
    found = {"SQLite": sqlite3.sqlite_version}
    for name, server in (("Redis", RedisServer), ("MariaDB", MariaDBServer)):
        if (program := server.binary()) is not None and (version := _told([program, "--version"])):
            found[name] = version
    if (program := RabbitMQServer.binary()) is not None and (
        version := _told([str(Path(program).with_name("rabbitmqctl")), "version"])
    ):
        found["RabbitMQ"] = version
    return found


def _told(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    version = _VERSION.search(done.stdout)
    return version[0] if version else ""


def source() -> str:
    """A digest of all that makes a figure: the package, the benchmarks and what they run."""
    digest = hashlib.sha256()
    for folder in ("src", "benchmarks", "examples"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and path.name not in _SHOWN:
                digest.update(f"{path.relative_to(ROOT)}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
