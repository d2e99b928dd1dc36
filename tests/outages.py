"""Databases that tests take away and bring back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from postrmagic_core.testing.servers import MariaDBServer, require

House: TypeAlias = tuple[str, Callable[[], None], Callable[[], None]]


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDBServer]:
    """A server that these tests may break."""
    require(MariaDBServer.binary(), "faults need a private server: mariadbd is not installed")
    with MariaDBServer() as own:
        yield own


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mysql)])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> House:
    """A database's URL, and what takes it away and brings it back."""
    if request.param == "mariadb":
        server: MariaDBServer = request.getfixturevalue("server")
        return server.create_database(), server.kill, server.start
    file = tmp_path / "app.db"
    return f"sqlite:///{file}", lambda: hide(file), lambda: restore(file)


def hide(file: Path) -> None:
    """In the place of the database's files stands what cannot be opened."""
    for name in (file, *file.parent.glob(f"{file.name}-*")):
        name.rename(name.with_name(f"gone-{name.name}"))
    file.mkdir()


def restore(file: Path) -> None:
    """As it was."""
    file.rmdir()
    for name in file.parent.glob("gone-*"):
        name.rename(name.with_name(name.name.removeprefix("gone-")))
