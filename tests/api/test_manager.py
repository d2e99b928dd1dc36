"""An Api is a specification and the objects that carry it out; its pages are everybody's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from postrmagic_core.api import Api, Problems, Specification, delete, get
from postrmagic_core.api.envelope import Data
from postrmagic_core.errors import ConfigurationError

from .doubles_endpoint import code


class Things:
    """Things."""

    @get("/things/{id}", Data[int], access="public")
    def show_thing(self, id: int) -> int:
        """Show a thing."""
        return id

    @delete("/things/{id}", access="public")
    def delete_thing(self, id: int) -> None:
        """Delete a thing."""

    @get("/things/{id}/parts", Data[int], access="public")
    def show_parts(self, id: int) -> int:
        """Show its parts."""
        return id

    @get("/things/latest", Data[int], access="public")
    def latest_thing(self) -> int:
        """Show the latest."""
        return 1

    @get("/things/latest/{part}", Data[int], access="public")
    def latest_part(self, part: str) -> int:
        """Show a part of it."""
        return 1


class Others:
    """Others."""

    @get("/others", Data[int], access="public")
    def show_other(self) -> int:
        """Show another."""
        return 1


class LikeThings(Things):
    """No class of the specification."""


PROBLEMS = Problems(base="/problems/")
SPECIFICATION = Specification([Things, Others], title="Things", version="1.0.0", problems=PROBLEMS)
API = Api(SPECIFICATION, [Others(), Things()])


@pytest.mark.parametrize(
    "resources",
    [
        [],
        [Things()],
        [Things(), Others(), Others()],
        [LikeThings(), Others()],
        [Things(), Others(), object()],
        [Things, Others],
    ],
)
def test_each_class_has_one_object(resources: list[Any]) -> None:
    """Neither less nor more."""
    with pytest.raises(ConfigurationError, match="expected one object of each of Things, Others"):
        Api(SPECIFICATION, resources)


def test_paths_that_are_written_out_come_first() -> None:
    """A router takes the first that fits."""
    assert [place.path for place in API.places] == [
        "/api/v1/others",
        "/api/v1/things/latest",
        "/api/v1/things/latest/{part}",
        "/api/v1/things/{id}",
        "/api/v1/things/{id}/parts",
    ]


def test_a_path_has_its_methods() -> None:
    """HEAD is GET's; every other one is 405, with those that there are."""
    place = API.places[3]
    found = {method: place.endpoint(method) for method in ("GET", "HEAD", "DELETE", "POST", "get", "OPTIONS")}
    names = {method: one.operation.name for method, one in found.items() if one is not None}
    assert names == {"GET": "show_thing", "HEAD": "show_thing", "DELETE": "delete_thing"}
    assert code(place.not_allowed) == (405, "http.405")
    assert place.not_allowed.headers["allow"] == "GET, HEAD, DELETE"


def test_the_pages_are_there() -> None:
    """The document, the reference with its style, and what each problem means."""
    assert set(API.pages) == {
        "/api/v1/openapi.json",
        "/api/v1/docs",
        "/api/v1/docs.css",
        "/problems/",
        *(f"/problems/{kind.code}" for kind in PROBLEMS.types),
    }
    assert json.loads(API.page("/api/v1/openapi.json", {}).body) == SPECIFICATION.openapi()


@pytest.mark.parametrize("base", [None, "https://example.org/problems/"])
def test_pages_of_problems_that_are_elsewhere_are_not_here(base: str | None) -> None:
    """Nor where there are none."""
    specification = Specification([Others], title="None", version="1.0.0", problems=Problems(base=base))
    assert all(path.startswith("/api/v1/") for path in Api(specification, [Others()]).pages)


def test_a_page_is_sent_once() -> None:
    """304 for who has it; no script may run in it; another method is 405."""
    page = API.page("/api/v1/docs", {})
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "script-src" not in page.headers["content-security-policy"]
    assert "default-src 'none'" in page.headers["content-security-policy"]
    known = API.page("/api/v1/docs", {"if-none-match": page.headers["etag"]}, "HEAD")
    assert (known.status, known.body) == (304, b"")
    assert API.page("/api/v1/docs", {"if-match": '"another"'}).status == 200
    refused = API.page("/api/v1/docs", {}, "POST")
    assert (code(refused), refused.headers["allow"]) == ((405, "http.405"), "GET, HEAD")
