"""A pipeline says at construction what is wrong with it."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from postrmagic_core.errors import ConfigurationError
from postrmagic_core.middleware import Group, Pipeline, Request, middleware
from postrmagic_core.middleware.access_log import access_log
from postrmagic_core.middleware.body_limit import body_limit
from postrmagic_core.middleware.csrf import csrf
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.request_id import request_id
from postrmagic_core.middleware.security_headers import security_headers


def named(name: str, **place: Any) -> Any:
    """A middleware of that name."""

    @middleware(name=name, **place)
    def layer(request: Request) -> Any:
        yield

    return layer


def test_the_right_order_is_accepted() -> None:
    """The order that the documentation shows is one that fits."""
    layers = [request_id(), access_log(), security_headers(), errors(), body_limit(1000), csrf()]
    names = ["request_id", "access_log", "security_headers", "errors", "body_limit", "csrf"]
    assert Pipeline(layers).names == names


def test_the_error_draws_the_order() -> None:
    """Given two demands broken, both are told, with the order as it is and one that fits."""
    with pytest.raises(ConfigurationError) as caught:
        Pipeline([named("c", after=["b"]), named("b", after=["a"]), named("a")])
    text = str(caught.value)
    assert "outermost first: c > b > a" in text
    assert "c must stand inside b" in text
    assert "b must stand inside a" in text
    assert "an order that fits: a > b > c" in text


def test_before_and_outermost_are_demands_too() -> None:
    """`before` names who must stand further in; `outermost` is outside all."""
    with pytest.raises(ConfigurationError, match="a must stand outside b"):
        Pipeline([named("b"), named("a", before=["b"])])
    with pytest.raises(ConfigurationError, match="a must stand outside all others"):
        Pipeline([named("b"), named("a", outermost=True)])


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_a_request_that_is_not_meant_passes_by(kind: str, call: Any, answer: Any) -> None:
    """A layer with `when` is begun for those requests alone; those around it are met by all."""
    met: list[str] = []

    @middleware(when=lambda request: request.path == "/meant")
    def plain(request: Request) -> Any:
        met.append(request.path)
        head = yield
        head.set("x-met", "yes")

    @middleware(when=lambda request: request.path == "/meant")
    async def slow(request: Request) -> Any:
        met.append(request.path)
        head = yield
        head.set("x-met", "yes")

    app = Pipeline([request_id(), plain if kind == "plain" else slow, security_headers()]).asgi(answer())
    meant, other = call(app, path="/meant"), call(app, path="/other")
    assert met == ["/meant"]
    assert (meant.header("x-met"), other.header("x-met")) == ("yes", None)
    assert other.header("x-request-id")
    assert other.header("x-content-type-options") == "nosniff"


def test_demands_that_contradict_are_drawn_as_a_circle() -> None:
    """Given demands that no order can meet, the error says so."""
    with pytest.raises(ConfigurationError, match=r"no order fits: \w > \w > \w"):
        Pipeline([named("a", after=["b"]), named("b", after=["a"])])


def test_two_of_one_name_are_refused() -> None:
    """They would share what they keep: two rate limits one bucket."""
    for layers in ([errors(), errors()], [named("limit"), named("other"), named("limit")]):
        with pytest.raises(ConfigurationError, match="twice: leave one out, or give one another name"):
            Pipeline(layers)
        with pytest.raises(ConfigurationError, match="twice"):
            Pipeline(layers, arrange=True)
        with pytest.raises(ConfigurationError, match="twice"):
            Pipeline(layers[:1], groups=[Group("/x", layers[-1:])])


def test_names_that_are_absent_do_not_matter() -> None:
    """A demand about a middleware that the pipeline does not hold is met."""
    assert Pipeline([named("a", after=["x"], before=["y"])]).names == ["a"]


def test_what_is_no_generator_function_is_refused() -> None:
    """Given a factory not called, or a plain function, the error says what was expected."""
    with pytest.raises(ConfigurationError, match="request_id is no middleware: expected a generator function"):
        Pipeline([request_id])  # type: ignore[list-item]  # the mistake under test


def test_objects_and_partials_are_middleware_too() -> None:
    """Anything whose call is a generator function will do."""

    class Counting:
        def __call__(self, request: Request) -> Any:
            yield

    class CountingAsync:
        async def __call__(self, request: Request) -> Any:
            yield

    def configured(limit: int, request: Request) -> Any:
        yield

    layers: list[Any] = [Counting(), CountingAsync(), functools.partial(configured, 3)]
    assert Pipeline(layers).names == ["Counting", "CountingAsync", "partial"]
