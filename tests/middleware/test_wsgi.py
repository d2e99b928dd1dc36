"""The same middleware under WSGI, each request in one context."""

from __future__ import annotations

import asyncio
import contextvars
import io
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from postrmagic_core.errors import UsageError
from postrmagic_core.middleware import AsyncLayer, Done, Pipeline, Request, Response
from postrmagic_core.middleware.body_limit import body_limit
from postrmagic_core.middleware.errors import errors
from postrmagic_core.middleware.request_id import request_id

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="unset")


class Answer:
    """What a WSGI server got."""

    status = ""
    headers: dict[str, str]
    chunks: list[bytes]


def get(app: Any, *, take: int | None = None, **environ: Any) -> Answer:
    """Serve one request as a server does; ``take`` chunks only, as when the client leaves."""
    given: dict[str, Any] = dict(environ)
    setup_testing_defaults(given)
    answer = Answer()
    answer.chunks = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        answer.status, answer.headers = status, {name.lower(): value for name, value in headers}
        return answer.chunks.append

    body = app(given, start_response)
    try:
        for chunk in body:
            answer.chunks.append(chunk)
            if take is not None and len(answer.chunks) >= take:
                break
    finally:
        body.close()
    return answer


def under_wsgi(layer: Any, **environ: Any) -> Answer:
    """What a WSGI server gets from an empty application inside this layer."""

    def empty(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b""]

    return get(Pipeline([layer]).wsgi(empty), **environ)


def hello(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """An application."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hel", b"lo"]


def test_one_middleware_serves_both(call: Any, answer: Any) -> None:
    """The class that runs under ASGI runs under WSGI unchanged, async ones too."""
    seen = []

    async def asynchronous(request: Request) -> AsyncLayer:
        head = yield
        head.set("x-async", request.path)
        seen.append((yield))

    def plain(request: Request) -> Any:
        head = yield
        head.status = 202
        head.set("x-plain", request.headers.get("x-given") or "")
        seen.append((yield))

    pipeline = Pipeline([asynchronous, plain])
    plainly = get(pipeline.wsgi(hello), PATH_INFO="/p", HTTP_X_GIVEN="g")
    under_asgi = call(pipeline.asgi(answer()), path="/p", headers=[(b"x-given", b"g")])
    assert plainly.status == "202 Accepted"
    assert b"".join(plainly.chunks) == under_asgi.body == b"hello"
    assert (plainly.headers["x-async"], plainly.headers["x-plain"]) == ("/p", "g")
    assert (under_asgi.header("x-async"), under_asgi.header("x-plain")) == ("/p", "g")
    assert seen == [Done(5, None, False)] * 4


def test_the_rules_of_wsgi_are_kept() -> None:
    """Python's own validator finds nothing wrong on either side of the pipeline."""

    def layer(request: Request) -> Any:
        yield
        yield

    assert get(validator(Pipeline([layer]).wsgi(validator(hello))), QUERY_STRING="").status == "200 OK"


def test_the_whole_request_runs_in_one_context() -> None:
    """What a layer sets, the application and its body's iteration see; the server's context stays clean."""
    seen = []

    def layer(request: Request) -> Any:
        VARIABLE.set("set")
        yield
        yield
        seen.append(VARIABLE.get())

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        seen.append(VARIABLE.get())
        start_response("200 OK", [])
        VARIABLE.set("later")
        yield b"x"
        seen.append(VARIABLE.get())

    get(Pipeline([layer]).wsgi(app))
    assert seen == ["set", "later", "later"]
    assert VARIABLE.get() == "unset"


def test_a_layer_that_really_waits_is_named() -> None:
    """An async layer that suspends is an error to the layers around it that names it, and it is closed."""
    closed = []

    async def waiting(request: Request) -> AsyncLayer:
        try:
            await asyncio.sleep(0)
            yield
        finally:
            closed.append(True)

    with pytest.raises(UsageError, match="middleware waiting waited for something under WSGI"):
        get(Pipeline([waiting]).wsgi(hello))
    answer = get(Pipeline([errors(), waiting]).wsgi(hello))
    assert answer.status == "500 Internal Server Error"
    assert closed == [True, True]


def test_faces_complete_inline() -> None:
    """Under WSGI `request.face(manager)` awaits the sync methods, so that async layers never suspend."""

    class Manager:
        aio = None

        def load(self, name: str) -> str:
            return f"loaded {name}"

    async def layer(request: Request) -> AsyncLayer:
        head = yield
        head.set("x-loaded", await request.face(Manager()).load("it"))

    assert get(Pipeline([layer]).wsgi(hello)).headers["x-loaded"] == "loaded it"


def test_an_early_response_does_not_call_the_application() -> None:
    """Outer layers see the head of an early response."""

    def outer(request: Request) -> Any:
        head = yield
        head.set("x-outer", str(head.status))

    def stopping(request: Request) -> Any:
        yield Response(418, b"tea")

    answer = get(Pipeline([outer, stopping]).wsgi(lambda *_: pytest.fail("called")))
    assert (answer.status[:3], answer.chunks, answer.headers["x-outer"]) == ("418", [b"tea"], "418")
    assert answer.headers["content-length"] == "3"


def test_a_replaced_response_closes_the_applications() -> None:
    """The application's body is not sent, its iterable is closed."""
    closed = []

    def replacing(request: Request) -> Any:
        yield
        yield Response(499, b"mine")

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        try:
            start_response("200 OK", [])
            yield b"theirs"
            yield b"never"
        finally:
            closed.append(True)

    answer = get(Pipeline([replacing]).wsgi(app))
    assert (answer.status, answer.chunks, closed) == ("499 Status 499", [b"mine"], [True])


@pytest.mark.parametrize("lazily", [False, True])
def test_an_error_before_the_head_can_be_answered(lazily: bool) -> None:
    """Errors in the call and in the first step of the body are thrown into the layers."""

    def catching(request: Request) -> Any:
        try:
            yield
        except ValueError:
            yield Response(400, b"caught")

    def at_once(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise ValueError

    def late(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield from at_once(environ, start_response)

    app = late if lazily else at_once
    answer = get(Pipeline([catching]).wsgi(app))
    assert (answer.status, answer.chunks) == ("400 Bad Request", [b"caught"])
    ended = []

    def watching(request: Request) -> Any:
        try:
            yield
        finally:
            ended.append(True)

    with pytest.raises(ValueError, match=r"^$"):
        get(Pipeline([watching]).wsgi(app))
    assert ended == [True]


def test_an_error_after_the_head_is_told_in_done() -> None:
    """It reaches the server, and the layers see it at the end only."""
    seen = []

    def layer(request: Request) -> Any:
        yield
        seen.append((yield))

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"x"
        raise ValueError("late")

    with pytest.raises(ValueError, match="late"):
        get(Pipeline([layer]).wsgi(app))
    (done,) = seen
    assert (done.size, repr(done.error), done.disconnected) == (1, "ValueError('late')", False)


def test_a_client_that_leaves_is_told_in_done() -> None:
    """Given a server that closes before the end, `done.disconnected` is true."""
    seen = []

    def layer(request: Request) -> Any:
        yield
        seen.append((yield))

    get(Pipeline([layer]).wsgi(hello), take=1)
    assert seen == [Done(3, None, True)]


def test_the_application_may_change_its_mind_before_the_first_chunk() -> None:
    """PEP 3333: start_response again, with exc_info, replaces the head; layers see only the head that leaves."""
    seen = []

    def layer(request: Request) -> Any:
        seen.append((yield).status)

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        start_response("500 Oops", [], (ValueError, ValueError(), None))
        return [b"x"]

    assert get(Pipeline([layer]).wsgi(app)).status == "500 Oops"
    assert seen == [500]


def test_after_the_head_the_application_may_not() -> None:
    """PEP 3333: with exc_info the error is raised, without it the call is a mistake."""

    def again(exc_info: Any) -> Any:
        def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
            start_response("200 OK", [])
            yield b"x"
            start_response("500 Oops", [], exc_info)

        return Pipeline([]).wsgi(app)

    with pytest.raises(ValueError, match="theirs"):
        get(again((ValueError, ValueError("theirs"), None)))
    with pytest.raises(UsageError, match="after the head had left"):
        get(again(None))


def test_write_sends_the_head_first() -> None:
    """The `write` of old applications passes through the layers too."""

    def layer(request: Request) -> Any:
        head = yield
        head.set("x-a", "1")
        assert (yield).size == 3

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])(b"ab")
        return [b"c"]

    answer = get(Pipeline([layer]).wsgi(app))
    assert (answer.chunks, answer.headers["x-a"]) == ([b"ab", b"c"], "1")


def test_an_application_that_does_not_answer_failed() -> None:
    """Given an application that never calls start_response, the layers may answer."""
    answer = get(Pipeline([errors()]).wsgi(lambda *_: []))
    assert answer.status == "500 Internal Server Error"


def test_a_body_that_fails_to_close_is_logged(caplog: Any) -> None:
    """The layers learn of it; the server has its response already."""
    seen = []

    class Clumsy(list[bytes]):
        def close(self) -> None:
            raise ValueError("close")

    def layer(request: Request) -> Any:
        yield
        seen.append(repr((yield).error))

    def app(environ: dict[str, Any], start_response: Any) -> Clumsy:
        start_response("200 OK", [])
        return Clumsy([b"x"])

    get(Pipeline([layer]).wsgi(app))
    assert seen == ["ValueError('close')"]
    assert "failed to close its response" in caplog.text


@pytest.mark.parametrize(
    "read",
    [
        lambda stream: stream.read(),
        lambda stream: stream.read(1000),
        lambda stream: stream.readline(),
        lambda stream: stream.readlines(),
        lambda stream: list(stream),
    ],
)
def test_the_body_limit_counts_every_way_of_reading(read: Callable[[Any], object]) -> None:
    """Given a body beyond the limit without a Content-Length, each way of reading it ends in 413."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        read(environ["wsgi.input"])
        start_response("200 OK", [])
        return [b"read"]

    pipeline = Pipeline([body_limit(10)])
    for size, status in ((10, "200"), (11, "413")):
        environ: dict[str, Any] = {"wsgi.input": io.BytesIO(b"x" * size), "REQUEST_METHOD": "POST"}
        answer = get(pipeline.wsgi(app), **environ)
        assert answer.status[:3] == status


def test_the_environ_is_read_as_asgi_would() -> None:
    """Path, query, client, scheme, content type and state are what an ASGI scope holds."""
    seen: list[Any] = []

    def layer(request: Request) -> Any:
        seen.append((request.method, request.path, request.query, request.client, request.scheme))
        seen.append((request.headers.get("content-type"), request.cookies))
        yield

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(set(environ["postrmagic.state"]))
        return hello(environ, start_response)

    environ: dict[str, Any] = {
        "SCRIPT_NAME": "/app",
        "PATH_INFO": "/é".encode().decode("latin-1"),
        "QUERY_STRING": "a=%20",
    }
    environ |= {"REMOTE_ADDR": "192.0.2.1", "CONTENT_TYPE": "text/x", "HTTP_COOKIE": 'a=1; b="2"; a=3; c'}
    get(Pipeline([request_id(), layer]).wsgi(app), **environ)
    assert seen == [
        ("GET", "/app/é", "a=%20", "192.0.2.1", "http"),
        ("text/x", {"a": "1", "b": "2"}),
        {"request_id"},
    ]
