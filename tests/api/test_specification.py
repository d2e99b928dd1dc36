"""What an API promises is checked when it is written down, and its rules let in whom its operations do."""

from __future__ import annotations

import asyncio
from inspect import Parameter, Signature
from typing import Any

import pytest

from postrmagic_core.api import Problems, ProblemType, Specification, delete, get, post
from postrmagic_core.api.envelope import Data, Page
from postrmagic_core.api.interface import Example
from postrmagic_core.errors import ConfigurationError
from postrmagic_core.middleware import Pipeline, Request
from postrmagic_core.middleware.authentication import authentication
from postrmagic_core.middleware.authorization import authorization
from postrmagic_core.security.access import Access, Role, Roles, User
from tests.middleware.conftest import _exchange

PROBLEMS = Problems(ProblemType("thing.not_found", 404, "No such thing", "Ask for the list."), base="/problems/")


class Things:
    """Things."""

    @get("/things/{id}", Data[int], access="thing:read", problems=["thing.not_found"])
    def show_thing(self, id: int) -> int:
        """Show a thing."""
        return id

    @get("/things/latest", Data[int], access="public")
    def latest_thing(self) -> int:
        """Show the latest."""
        return 1

    @get("/things/mine", Page[int], access="signed-in")
    def my_things(self) -> list[int]:
        """List one's own."""
        return []

    @delete("/things/{id}", access="thing:delete:own")
    def delete_thing(self, id: int) -> None:
        """Delete a thing."""


def specified(*kinds: type, **options: Any) -> Specification:
    """A specification of these classes."""
    given: dict[str, Any] = {"title": "Things", "version": "1.2.3", "problems": PROBLEMS} | options
    return Specification(kinds or (Things,), **given)


def test_the_major_version_is_in_the_path() -> None:
    """And nothing else of the version is."""
    assert (specified().base, specified().major) == ("/api/v1", "1")
    assert specified(version="12.0.0", prefix="/app/rest").base == "/app/rest/v12"


@pytest.mark.parametrize("version", ["", "1", "1.0", "v1.0.0", "01.0.0", "1.0.0-beta", "\u0661.0.0", "1.0.0\n"])
def test_a_version_is_three_numbers(version: str) -> None:
    """Written one way."""
    with pytest.raises(ConfigurationError, match=r"major\.minor\.patch"):
        specified(version=version)


@pytest.mark.parametrize("prefix", ["", "api", "/", "/api/", "/a//b", "/{api}", "/a b", "/api\n"])
def test_a_prefix_is_a_path(prefix: str) -> None:
    """With a slash before and none behind."""
    with pytest.raises(ConfigurationError, match="prefix"):
        specified(prefix=prefix)


def test_a_problem_is_declared() -> None:
    """A code that nobody declared is found at start-up."""
    with pytest.raises(ConfigurationError, match=r"thing\.not_found"):
        specified(problems=Problems())


def of(*paths: str, method: Any = get, names: tuple[str, ...] = ("one", "two")) -> type:
    """A class with operations at these paths."""
    found: dict[str, Any] = {"__doc__": "Some."}
    for name, path in zip(names, paths, strict=False):

        def show(**values: int) -> int:
            """Show."""
            return 1

        taken = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        show.__annotations__ = dict.fromkeys(taken, int)
        parameters = [Parameter(one, Parameter.POSITIONAL_OR_KEYWORD) for one in taken]
        setattr(show, "__signature__", Signature(parameters))  # noqa: B010  a function's type has no such attribute
        show.__name__ = name
        found[name] = method(path, Data[int], access="public")(show)
    return type("Some", (), found)


@pytest.mark.parametrize(
    ("kinds", "told"),
    [
        ((of("/a"), of("/b")), "one: two operations have this name"),
        ((of("/a", "/a"),), "is GET /a already"),
        ((of("/a/{id}", "/a/{name}"),), "is GET /a/{name} already"),
        (
            (of("/a/{id}"), of("/a/{name}", method=post, names=("three",))),
            "name the values alike",
        ),
        ((of("/docs"),), "/docs is a page of every API"),
        ((of("/openapi.json"),), "is a page of every API"),
    ],
)
def test_two_operations_never_share_a_place(kinds: tuple[type, ...], told: str) -> None:
    """Nor a name, nor the place of a page."""
    with pytest.raises(ConfigurationError, match=told):
        specified(*kinds)


def test_examples_belong_to_operations() -> None:
    """Those of a name that there is not are a mistake; the others take their place."""
    shown = specified(examples={"show_thing": [Example("One", path={"id": "1"})]})
    assert [one.title for one in shown.operations[0].examples] == ["One"]
    with pytest.raises(ConfigurationError, match="show_thin"):
        specified(examples={"show_thin": []})


def test_the_document_is_made_once() -> None:
    """Whoever asks gets the same."""
    specification = specified()
    assert specification.openapi() is specification.openapi()
    assert set(specification.openapi()["paths"]) == {"/things/{id}", "/things/latest", "/things/mine"}


TABLE = {
    # request: nobody, somebody, reader
    "GET /api/v1/things/7": (401, 403, 200),
    "HEAD /api/v1/things/7": (401, 403, 200),
    "DELETE /api/v1/things/7": (401, 403, 403),
    "PUT /api/v1/things/7": (200, 200, 200),  # the router's 405
    "PROPFIND /api/v1/things/7": (200, 200, 200),
    "GET /api/v1/things/latest": (200, 200, 200),
    "DELETE /api/v1/things/latest": (200, 200, 200),
    "GET /api/v1/things/mine": (401, 200, 200),
    "GET /api/v1/things/7/more": (401, 403, 403),
    "GET /api/v1/things": (401, 403, 403),
    "GET /api/v1/docs": (200, 200, 200),
    "GET /api/v1/openapi.json": (200, 200, 200),
    "GET /problems/": (200, 200, 200),
    "GET /problems/thing.not_found": (200, 200, 200),
    "POST /problems/thing.not_found": (401, 403, 403),
    "GET /api/v1/things/..": (401, 403, 403),
    "GET /api/v1//things/latest": (401, 403, 403),
}


@pytest.mark.parametrize("line", TABLE)
def test_the_rules_let_in_whom_the_operations_do(line: str) -> None:
    """Through the layer: what is written out comes before what has a name in its place, whichever is declared first."""
    units: Any = None
    roles = Roles([Role("reader", allow=["thing:read"])], ["thing:read", "thing:delete"])
    users = {"some": User("1"), "reader": User("2", frozenset({"reader"}))}

    def by_header(request: Request) -> User | None:
        return users.get(request.headers.get("x-user") or "")

    layers = [authentication(by_header), authorization(Access(roles, units), **specified().rules())]

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    app = Pipeline(layers).asgi(answer)
    method, path = line.split(" ")
    found = [
        asyncio.run(_exchange(app, method=method, path=path, headers=[(b"x-user", name.encode())])).status
        for name in ("", "some", "reader")
    ]
    assert tuple(found) == TABLE[line]
