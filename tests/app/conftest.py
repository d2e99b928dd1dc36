"""Fixtures: the application, furnished with three accounts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest

from media_library.colours import Look
from postrmagic_core.testing.capture import embedded_settings
from postrmagic_core.testing.servers import MariaDBServer
from tests.app.house import Browser, House, furnish, hash_at_the_least_cost, open_house
from tests.app.standing import PutBack, from_copy, from_rows, putting_back

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium

Standing: TypeAlias = tuple[House, PutBack]


@pytest.fixture(scope="module", autouse=True)
def _passwords_at_the_least_cost() -> Iterator[None]:
    """Few tests look at what a hash costs."""
    with pytest.MonkeyPatch.context() as patch:
        hash_at_the_least_cost(patch)
        yield


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with the tables and the accounts, to be copied."""
    directory = tmp_path_factory.mktemp("furnished")
    with pytest.MonkeyPatch.context() as patch:  # made before what is of one file
        hash_at_the_least_cost(patch)
        furnish(embedded_settings(directory))
    return directory / "app.db"


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory, furnished: Path) -> Iterator[Standing]:
    """The site on SQLite files, for the tests of one file: its threads are in nobody else's way."""
    directory = tmp_path_factory.mktemp("standing")
    shutil.copy(furnished, directory)
    with open_house(embedded_settings(directory)) as opened:
        yield opened, from_copy(opened, furnished)


@pytest.fixture(scope="module")
def standing_on_mysql(tmp_path_factory: pytest.TempPathFactory, mariadb_server: MariaDBServer) -> Iterator[Standing]:
    """The site with its tables and jobs on MariaDB, for the tests of one file."""
    url = mariadb_server.create_database()
    settings = embedded_settings(tmp_path_factory.mktemp("standing")).replace(database={"url": url}, jobs={"url": url})
    furnish(settings)
    with open_house(settings) as opened:
        yield opened, from_rows(opened.application.stack.database)
    mariadb_server.drop_database(url)


@pytest.fixture
def house(standing: Standing) -> House:
    """The site on SQLite files, as it was furnished."""
    return putting_back(*standing)


@pytest.fixture
def mysql_house(standing_on_mysql: Standing) -> House:
    """The site with its tables and jobs on MariaDB, as it was furnished."""
    return putting_back(*standing_on_mysql)


@pytest.fixture(params=["embedded", pytest.param("mariadb", marks=pytest.mark.mysql)])
def any_house(request: pytest.FixtureRequest) -> House:
    """The site on either database."""
    found: House = request.getfixturevalue("house" if request.param == "embedded" else "mysql_house")
    return found


@pytest.fixture
def visitor(house: House) -> Browser:
    """A browser in which the demo user is logged in."""
    return house.browser()


@pytest.fixture
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs look at no picture: each look is a process of its own, and the test is about what comes of it."""
    monkeypatch.setattr("media_library.tasks.render", lambda *_, **__: b"thumbnail")
    monkeypatch.setattr("media_library.tasks.look_at", lambda *_: Look(("#cc0000",), "portrait"))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    """One for the tests of a file; each opens a context. Its driver keeps a loop running here while it is open."""
    from tests.chromium import launched

    with launched() as browser:
        yield browser
