"""A server of each kind, with databases that are gone after the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from postrmagic_core.testing.servers import MariaDBServer

KINDS = [
    pytest.param("mariadb", marks=pytest.mark.mysql),
    pytest.param("mysql", marks=[pytest.mark.mysql, pytest.mark.soak]),
]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Of which kind the server of this test is."""
    return str(request.param)


@pytest.fixture
def server(kind: str, request: pytest.FixtureRequest) -> MariaDBServer:
    """It, shared by the run."""
    found: MariaDBServer = request.getfixturevalue({"mariadb": "mariadb_server", "mysql": "mysql_server"}[kind])
    return found


@pytest.fixture
def database(server: MariaDBServer) -> Iterator[Callable[[], str]]:
    """Makes empty databases and gives their URLs."""
    made: list[str] = []

    def make() -> str:
        made.append(server.create_database())
        return made[-1]

    yield make
    for url in made:
        server.drop_database(url)
