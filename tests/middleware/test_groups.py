"""Groups: which layers a path has, where added ones stand, and what is refused when a pipeline is built."""

from __future__ import annotations

from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postrmagic_core.errors import ConfigurationError
from postrmagic_core.middleware import Group, Pipeline, Request, middleware


def named(name: str, **place: Any) -> Any:
    """A middleware that tells its name to the request."""

    @middleware(name=name, **place)
    def layer(request: Request) -> Any:
        request.state.setdefault("passed", []).append(name)
        yield

    return layer


def passed(pipeline: Pipeline, path: str, call: Any) -> list[str]:
    """The layers that a request for ``path`` passes under ASGI; the same as under WSGI, or this fails."""
    found: list[list[str]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        found.append(scope["state"].get("passed", []))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def wsgi_app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        found.append(environ["postrmagic.state"].get("passed", []))
        start_response("200 OK", [])
        return [b""]

    assert call(pipeline.asgi(app), path=path, state={}).error is None
    environ: dict[str, Any] = {"PATH_INFO": path.encode().decode("latin-1"), "SCRIPT_NAME": ""}
    setup_testing_defaults(environ)
    list(pipeline.wsgi(wsgi_app)(environ, lambda *_: None))
    assert found[0] == found[1]
    return found[0]


def test_a_path_has_the_layers_of_every_group_that_holds_it(call: Any) -> None:
    """By whole segments of the path; what is left out is so beneath, too."""
    pipeline = Pipeline(
        [named("outer"), named("csrf")],
        groups=[
            Group("/api", [named("limit")]),
            Group("/api/hooks", [named("signed")], without=["csrf"]),
            Group("/admin", [named("admin")]),
        ],
    )
    for path, expected in {
        "/": ["outer", "csrf"],
        "/apis": ["outer", "csrf"],
        "/API": ["outer", "csrf"],
        "/api": ["outer", "csrf", "limit"],
        "/api/posters": ["outer", "csrf", "limit"],
        "/api/hooks/": ["outer", "limit", "signed"],
        "/api/hooksx": ["outer", "csrf", "limit"],
        "/admin/é": ["outer", "csrf", "admin"],
    }.items():
        assert passed(pipeline, path, call) == expected, path
    assert pipeline.names == ["outer", "csrf"]
    assert pipeline.groups["/api/hooks"] == ["outer", "limit", "signed"]


def test_a_groups_layers_stand_where_they_must(call: Any) -> None:
    """Among the pipeline's own, else inside them."""
    groups = [Group("/a", [named("limit", before=["sessions"], after=["errors"]), named("last")])]
    pipeline = Pipeline([named("errors"), named("sessions"), named("csrf")], groups=groups)
    assert passed(pipeline, "/a", call) == ["errors", "limit", "sessions", "csrf", "last"]


def test_arranged_layers_keep_their_order_where_they_may() -> None:
    """What another must stand inside is brought out to it; nothing else moves."""
    layers = [named("a"), named("c", after=["d"]), named("b"), named("d"), named("first", outermost=True)]
    assert Pipeline(layers, arrange=True).names == ["first", "a", "d", "c", "b"]


def test_where_no_order_fits_the_circle_is_drawn() -> None:
    """For groups and for arranged pipelines."""
    circle = [named("a", after=["b"]), named("b", after=["a"])]
    with pytest.raises(ConfigurationError, match=r"no order fits: \w > \w > \w"):
        Pipeline(circle, arrange=True)
    with pytest.raises(ConfigurationError, match=r"no order fits: \w > \w > \w"):
        Pipeline(circle[:1], groups=[Group("/x", circle[1:])])


@pytest.mark.parametrize("prefix", ["", "/", "api", "/api/"])
def test_a_prefix_that_is_none_is_refused(prefix: str) -> None:
    """With one that would do."""
    with pytest.raises(ConfigurationError, match="a group's prefix is like /api"):
        Group(prefix)


def test_leaving_out_what_is_not_there_is_refused() -> None:
    """A misspelt name would leave nothing out."""
    with pytest.raises(ConfigurationError, match="group /x leaves out scrf, which the pipeline does not hold"):
        Pipeline([named("csrf")], groups=[Group("/x", without=["scrf"])])


def test_one_prefix_is_one_group() -> None:
    """Two would be two answers to one question."""
    with pytest.raises(ConfigurationError, match="the same prefix"):
        Pipeline([], groups=[Group("/x"), Group("/x")])


_demands = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=8)


@settings(deadline=None)
@given(st.integers(1, 7), _demands)
def test_an_arranged_order_meets_every_demand_or_there_is_none(number: int, demands: list[tuple[int, int]]) -> None:
    """Whatever is demanded: ``check`` is content with what ``arranged`` made, or a circle was drawn."""
    after: dict[int, list[str]] = {}
    for inner, outer in demands:
        if inner != outer:
            after.setdefault(inner, []).append(str(outer))
    layers = [named(str(each), after=after.get(each, [])) for each in range(number)]
    try:
        names = Pipeline(layers, arrange=True).names
    except ConfigurationError:
        with pytest.raises(ConfigurationError, match="no order fits"):
            Pipeline(layers, arrange=True)
        return
    by_name = {str(each): layer for each, layer in enumerate(layers)}
    assert Pipeline([by_name[name] for name in names]).names == names
