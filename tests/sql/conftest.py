"""A server of each kind that the MySQL adapter speaks to."""

from __future__ import annotations

import pytest

SERVERS = {"mariadb": "mariadb_url", "mysql": "mysql_url"}


@pytest.fixture(params=["mariadb", pytest.param("mysql", marks=pytest.mark.soak)])
def server_url(request: pytest.FixtureRequest) -> str:
    """URL of an empty database on MariaDB, and on MySQL itself."""
    url: str = request.getfixturevalue(SERVERS[request.param])
    return url
