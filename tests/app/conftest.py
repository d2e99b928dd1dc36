"""Fixtures: the application on a Stack of the test's own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from postrmagic_core.testing.capture import embedded_settings
from tests.app.house import Browser, House, furnish, open_house


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with the tables and the accounts, to be copied."""
    directory = tmp_path_factory.mktemp("furnished")
    furnish(embedded_settings(directory))
    return directory / "app.db"


@pytest.fixture
def house(tmp_path: Path, furnished: Path) -> Iterator[House]:
    """The site on SQLite files."""
    shutil.copy(furnished, tmp_path)
    with open_house(embedded_settings(tmp_path)) as opened:
        yield opened


@pytest.fixture
def mysql_house(tmp_path: Path, mysql_url: str) -> Iterator[House]:
    """The site with its tables and jobs on MariaDB."""
    settings = embedded_settings(tmp_path).replace(database={"url": mysql_url}, jobs={"url": mysql_url})
    furnish(settings)
    with open_house(settings) as opened:
        yield opened


@pytest.fixture(params=["embedded", pytest.param("mysql", marks=pytest.mark.mysql)])
def any_house(request: pytest.FixtureRequest) -> House:
    """The site on either database."""
    found: House = request.getfixturevalue("house" if request.param == "embedded" else "mysql_house")
    return found


@pytest.fixture
def visitor(house: House) -> Browser:
    """A browser in which the demo user is logged in."""
    return house.browser()
