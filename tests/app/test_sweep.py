"""Every address, asked by every method that promises to change nothing: what is true of all the answers together."""

from __future__ import annotations

import platform
import sqlite3
from importlib.metadata import version
from typing import Any, NamedTuple

import httpx
import pytest
from sqlalchemy import select

from media_library.specification import SPECIFICATION
from media_library.tables import metadata
from tests.app.house import House

METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")
PAGES = ("/", "/oauth/authorize", "/problems/", "/problems/media.not_found", "/observability/", "/observability/errors")
FILES = ("/static/app.js", "/static/index.html", "/favicon.ico", "/livez", "/readyz")
FOLDERS = ("/static/", "/static", "/static/.", "/observability/assets/", "/observability/assets", "/media/")
WRONG = (
    "/nowhere",
    "/api/v1/nowhere",
    "/api/v1/media/x",
    "/api/v1/media?limit=x",
    "/static/nothing.js",
    "/%00",
    "/.git/",
)


class Answer(NamedTuple):
    """Who answered what."""

    method: str
    address: str
    response: httpx.Response


@pytest.fixture
def poster(house: House) -> int:
    """The id of one that is there: an address without it would answer 404."""
    found: int = house.browser().added()["id"]
    return found


@pytest.fixture
def addresses(house: House, poster: int) -> list[str]:
    """What is declared, with the ids of what is there; what is mounted; folders; and what is nowhere."""
    ids = {"media": poster, "admin/users": house.user_id()}
    declared = []
    for operation in SPECIFICATION.operations:
        stem = operation.path.partition("/{")[0].strip("/")
        declared.append(
            f"{SPECIFICATION.base}{operation.path}".replace("{id}", str(ids.get(stem, 1))).replace("{role}", "user")
        )
    return [*dict.fromkeys(declared), *PAGES, *FILES, *FOLDERS, *WRONG]


def sweep(house: House, addresses: list[str]) -> list[Answer]:
    """What the owner of the poster, the administrator and nobody are answered."""
    return [
        Answer(method, address, browser.request(method, address))
        for name in ("demo", "keeper", None)
        for browser in [house.browser(name)]
        for address in addresses
        for method in METHODS
    ]


def kept(house: House) -> dict[str, Any]:
    """Every row of the application, and all else that could be left behind, but for the notes of who was refused."""
    with house.application.stack.database.read() as unit:
        rows = {
            table.name: sorted(map(repr, unit.execute(select(table)).mappings().all()))
            for table in metadata.sorted_tables
        }
    left = {name: count for name, count in house.left.items() if name != "pm_audit"}
    return {"rows": rows, "left": left}


def test_no_safe_method_changes_anything(house: House, addresses: list[str]) -> None:
    """Not a row, not a file: whoever is made to follow a link has done nothing by it (ASVS 3.5.3)."""
    before = kept(house)
    answers = sweep(house, addresses)
    assert kept(house) == before
    worked = {answer.address for answer in answers if answer.response.is_success}
    assert len(worked) > 20, worked  # it was not a sweep of mistakes


def test_every_body_says_its_type_and_each_text_its_charset(house: House, addresses: list[str]) -> None:
    """And that no browser shall guess another (ASVS 4.1.1)."""
    bodies = [answer for answer in sweep(house, addresses) if answer.response.content]
    assert len(bodies) > 100
    for method, address, response in bodies:
        kind, _, parameters = response.headers["content-type"].partition(";")
        assert "/" in kind, (method, address)
        if kind.startswith("text/"):
            assert "charset=utf-8" in parameters.replace(" ", "").lower(), (method, address, kind, parameters)
        assert response.headers.get("x-content-type-options") == "nosniff", (method, address, response.status_code)


def test_no_folder_is_listed(house: House, addresses: list[str]) -> None:
    """Where an address would be a folder, nothing is (ASVS 13.4.3)."""
    told = [answer for answer in sweep(house, addresses) if answer.address in FOLDERS]
    assert {answer.address for answer in told} == set(FOLDERS)
    for method, address, response in told:
        assert response.status_code >= 400, (method, address)
        assert not any(name in response.text for name in ("index.html", "app.js")), (method, address)


def test_no_answer_tells_a_version(house: House, addresses: list[str]) -> None:
    """Neither of the server nor of what is underneath: not in a header, nor in a refusal (ASVS 13.4.6)."""
    packages = ("postrmagic-core", "starlette", "sqlalchemy", "pydantic", "uvicorn", "httpx")
    versions = [*map(version, packages), platform.python_version(), sqlite3.sqlite_version]
    for method, address, response in sweep(house, addresses):
        assert not {"server", "x-powered-by", "via"} & set(response.headers), (method, address)
        said = str(response.headers) + ("" if response.is_success else response.text)
        assert not [one for one in versions if one in said], (method, address, said)
