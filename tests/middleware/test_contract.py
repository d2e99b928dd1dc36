"""The middleware contract, sentence by sentence, with plain and with async generators."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from postrmagic_core.middleware import Done, Head, Pipeline, Request, Response, middleware

Kind: TypeAlias = Callable[[Callable[[Request], Any]], Any]


def _plain(function: Any) -> Any:
    return function


def _async(function: Any) -> Any:
    """The same middleware as an async generator: it steps the plain one."""

    @functools.wraps(function)
    async def layer(request: Request) -> Any:
        inner = function(request)
        await asyncio.sleep(0)
        try:
            said = next(inner)
        except StopIteration:
            return
        while True:
            try:
                heard = yield said
            except GeneratorExit:
                inner.close()
                raise
            except Exception as error:
                step: Callable[[], Any] = functools.partial(inner.throw, error)
            else:
                step = functools.partial(inner.send, heard)
            await asyncio.sleep(0)
            try:
                said = step()
            except StopIteration:
                return

    del layer.__wrapped__  # else inspect looks through it at the plain one
    return layer


@pytest.fixture(params=[_plain, _async], ids=["plain", "async"])
def kind(request: pytest.FixtureRequest) -> Any:
    """A decorator that leaves a middleware plain, or makes it async."""
    return request.param


def test_the_async_kind_is_async() -> None:
    """The parametrization of these tests is what it says."""

    def layer(request: Request) -> Any:
        yield

    assert inspect.isasyncgenfunction(_async(layer))


def test_it_receives_the_head_once_and_may_change_it(kind: Kind, call: Any, answer: Any) -> None:
    """It yields None to pass and receives `head` once; status and headers may change before the head leaves."""
    heads = []

    @kind
    def layer(request: Request) -> Any:
        head = yield
        heads.append(type(head))
        head.status = 201
        head.set("X-A", "1")

    outcome = call(Pipeline([layer]).asgi(answer()))
    assert (heads, outcome.status, outcome.header("x-a"), outcome.body) == ([Head], 201, "1", b"hello")


def test_done_resumes_it_after_the_body(kind: Kind, call: Any) -> None:
    """`done = yield` resumes it after the body, with the bytes sent."""
    seen: list[Any] = []

    @kind
    def layer(request: Request) -> Any:
        yield
        done = yield
        seen.append(done)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(3):
            await send({"type": "http.response.body", "body": b"x" * 10, "more_body": True})
            assert seen == []
        await send({"type": "http.response.body", "body": b""})

    outcome = call(Pipeline([layer]).asgi(app))
    assert seen == [Done(30, None, False)]
    assert len(outcome.messages) == 5, "streaming is untouched: chunk by chunk"


def test_a_response_replaces_the_applications(kind: Kind, call: Any) -> None:
    """`yield Response` at the head: outer layers see the replacement, later sends are discarded silently."""
    seen: list[Any] = []
    told = []

    @kind
    def outer(request: Request) -> Any:
        head = yield
        seen.append(head.status)
        head.set("x-outer", "1")
        done = yield
        seen.append((done.size, done.error))

    @kind
    def layer(request: Request) -> Any:
        head = yield
        if head.status == 200:
            yield Response(404, b"none")

    @kind
    def inner(request: Request) -> Any:
        head = yield
        seen.append(head.status)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await send({"type": "http.response.body", "body": b"y"})
        told.append("no error")

    outcome = call(Pipeline([outer, layer, inner]).asgi(app))
    assert (outcome.status, outcome.body, outcome.header("x-outer")) == (404, b"none", "1")
    assert outcome.header("content-length") == "4"
    assert seen == [200, 404, (4, None)]
    assert told == ["no error"]
    assert outcome.error is None


def test_the_layer_that_answered_is_resumed_when_it_is_over(kind: Kind, call: Any, answer: Any) -> None:
    """What resumes a layer after its own Response is `done`."""
    seen = []

    @kind
    def layer(request: Request) -> Any:
        done = yield Response(200, b"mine")
        seen.append(done)

    call(Pipeline([layer]).asgi(answer()))
    assert seen == [Done(4, None, False)]


def test_a_response_first_stops_early(kind: Kind, call: Any, answer: Any) -> None:
    """Yielding a Response first stops early: inner layers never start, the application is not called."""
    steps = []

    @kind
    def outer(request: Request) -> Any:
        head = yield
        steps.append(head.status)

    @kind
    def stopping(request: Request) -> Any:
        yield Response(429)

    @kind
    def inner(request: Request) -> Any:
        steps.append("started")
        yield

    async def app(scope: Any, receive: Any, send: Any) -> None:
        steps.append("called")

    assert call(Pipeline([outer, stopping, inner]).asgi(app)).status == 429
    assert steps == [429]


def test_an_endless_application_ends_when_nobody_listens(kind: Kind, call: Any) -> None:
    """Given a replaced stream without end, the loop is not blocked, and OSError tells it that the client is gone."""
    ended: list[Any] = []

    @kind
    def layer(request: Request) -> Any:
        yield
        done = yield Response(304)
        ended.append((done.error, done.disconnected))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        ticks = 0
        asyncio.get_running_loop().call_soon(ended.append, "the loop runs")
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while True:
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
                ticks += 1
                assert ticks < 10_000
        except OSError as error:
            raise RuntimeError("client disconnected") from error

    outcome = call(Pipeline([layer]).asgi(app), body=())
    assert outcome.status == 304
    assert outcome.error is None, "the error is our doing, not the application's"
    assert ended == ["the loop runs", (None, False)]


def test_a_long_replaced_download_whose_client_stays_is_discarded_silently(call: Any) -> None:
    """Given an unread request body, the client is not known to be gone: every later send is discarded without error."""
    sent: list[Any] = []

    def layer(request: Request) -> Any:
        yield
        yield Response(404)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(200):
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
            sent.append(number)
        sent.append((await receive())["body"])

    outcome = call(Pipeline([layer]).asgi(app), body=(b"not lost",))
    assert (outcome.status, outcome.error) == (404, None)
    assert sent[-1] == b"not lost"


def test_errors_before_the_head_are_thrown_innermost_first(kind: Kind, call: Any, failing: Any) -> None:
    """An error is thrown into each layer from the inside, until one catches it and yields a Response."""
    steps = []

    def named(name: str, *, catch: bool) -> Any:
        @kind
        def layer(request: Request) -> Any:
            try:
                head = yield
                steps.append((name, head.status))
            except ValueError as error:
                steps.append((name, str(error)))
                if not catch:
                    raise
                yield Response(500, b"caught")

        return layer

    pipeline = Pipeline([named("a", catch=True), named("b", catch=True), named("c", catch=False)])
    outcome = call(pipeline.asgi(failing(ValueError("x"))))
    assert steps == [("c", "x"), ("b", "x"), ("a", 500)]
    assert (outcome.status, outcome.body, outcome.error) == (500, b"caught", None)


def test_a_layer_may_raise_another_error(kind: Kind, call: Any, failing: Any) -> None:
    """What a layer raises instead is what the layers around it get."""
    seen = []

    @kind
    def outer(request: Request) -> Any:
        try:
            yield
        except KeyError as error:
            seen.append(repr(error))
            yield Response(400)

    @kind
    def translating(request: Request) -> Any:
        try:
            yield
        except ValueError:
            raise KeyError("k") from None

    assert call(Pipeline([outer, translating]).asgi(failing(ValueError()))).status == 400
    assert seen == ["KeyError('k')"]


@pytest.mark.parametrize("passes_on", [False, True])
def test_an_error_swallowed_is_raised_again(passes_on: bool, kind: Kind, call: Any, failing: Any) -> None:
    """Who catches without yielding a Response, by ending or by waiting, has not answered."""
    seen = []

    @kind
    def outer(request: Request) -> Any:
        try:
            yield
        except ValueError:
            seen.append("outer")
            raise

    @kind
    def swallowing(request: Request) -> Any:
        try:
            yield
        except ValueError:
            seen.append("inner")
        if passes_on:
            done = yield
            seen.append(repr(done.error))

    outcome = call(Pipeline([outer, swallowing]).asgi(failing(ValueError("x"))))
    assert isinstance(outcome.error, ValueError)
    assert outcome.messages == []
    assert seen == ["inner", "outer", *(["ValueError('x')"] if passes_on else [])]


def test_after_the_head_errors_appear_only_in_done(kind: Kind, call: Any, failing: Any) -> None:
    """An error after the head is not thrown in: `done.error` tells it, and the server gets it."""
    seen: list[Any] = []

    @kind
    def layer(request: Request) -> Any:
        try:
            yield
            done = yield
            seen.append(repr(done.error))
        except ValueError:
            seen.append("thrown")

    outcome = call(Pipeline([layer]).asgi(failing(ValueError("late"), late=True)))
    assert seen == ["ValueError('late')"]
    assert repr(outcome.error) == "ValueError('late')"


@pytest.mark.parametrize("moment", ["start", "head"])
def test_a_layers_own_error_is_one_to_those_around_it(moment: str, kind: Kind, call: Any, answer: Any) -> None:
    """Given a layer that fails before the head left, the layers further out may answer."""

    @kind
    def outer(request: Request) -> Any:
        try:
            yield
        except ZeroDivisionError:
            yield Response(500, b"caught")

    @kind
    def broken(request: Request) -> Any:
        if moment == "start":
            raise ZeroDivisionError
        yield
        raise ZeroDivisionError

    outcome = call(Pipeline([outer, broken]).asgi(answer()))
    assert (outcome.status, outcome.body, outcome.error) == (500, b"caught", None)


def test_a_layers_error_over_the_head_that_nobody_answers_reaches_the_server(kind: Kind, call: Any) -> None:
    """It is raised in the application's send, and whatever the application makes of it, nothing is sent."""

    @kind
    def broken(request: Request) -> Any:
        yield
        raise ZeroDivisionError

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        except ZeroDivisionError:
            await send({"type": "http.response.start", "status": 500, "headers": []})

    outcome = call(Pipeline([broken]).asgi(app))
    assert isinstance(outcome.error, ZeroDivisionError)
    assert outcome.messages == []


def test_an_error_after_the_response_is_logged(kind: Kind, call: Any, answer: Any, caplog: Any) -> None:
    """What a layer raises after the body does not reach the server, nor keep the others from their end."""
    seen = []

    @kind
    def outer(request: Request) -> Any:
        yield
        seen.append((yield))

    @kind
    def clumsy(request: Request) -> Any:
        yield
        yield
        raise ZeroDivisionError

    outcome = call(Pipeline([outer, clumsy]).asgi(answer()))
    assert outcome.error is None
    assert seen == [Done(5, None, False)]
    assert "middleware clumsy failed after the response" in caplog.text


def test_cancellation_is_never_thrown_in(kind: Kind) -> None:
    """Given a cancelled request, layers are closed innermost first and see no CancelledError."""
    steps = []

    def named(name: str) -> Any:
        @kind
        def layer(request: Request) -> Any:
            try:
                yield
            except asyncio.CancelledError:
                steps.append("thrown")
                raise
            finally:
                steps.append(name)

        return layer

    async def unused(*_: Any) -> Any:
        raise AssertionError

    async def main() -> None:
        started = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            started.set()
            await asyncio.Event().wait()

        wrapped = Pipeline([named("outer"), named("inner")]).asgi(app)
        task = asyncio.create_task(wrapped({"type": "http"}, unused, unused))
        await started.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(main())
    assert steps == ["inner", "outer"]


def test_generators_are_closed_innermost_first(kind: Kind, call: Any, answer: Any) -> None:
    """Also those that yield once more than there is to come."""
    steps = []

    def named(name: str) -> Any:
        @kind
        def layer(request: Request) -> Any:
            try:
                yield
                yield
                yield
            finally:
                steps.append(name)

        return layer

    call(Pipeline([named("a"), named("b"), named("c")]).asgi(answer()))
    assert steps == ["c", "b", "a"]


def test_plain_and_async_layers_mix(call: Any, answer: Any) -> None:
    """The order is that of the list, whatever the kinds."""
    steps: list[str] = []

    def named(name: str) -> Any:
        def layer(request: Request) -> Any:
            steps.append(f"{name} in")
            yield
            steps.append(f"{name} head")
            yield
            steps.append(f"{name} done")

        return layer

    call(Pipeline([named("a"), _async(named("b")), named("c"), _async(named("d"))]).asgi(answer()))
    assert steps == [f"{name} in" for name in "abcd"] + [
        f"{name} {moment}" for moment in ("head", "done") for name in "dcba"
    ]


def test_a_layer_without_a_yield_reached_passes(kind: Kind, call: Any, answer: Any) -> None:
    """Given a middleware that returns at once, the request goes on without it."""

    @kind
    def layer(request: Request) -> Any:
        if request.path == "/never":
            yield

    assert call(Pipeline([layer]).asgi(answer())).status == 200


@pytest.mark.parametrize("moment", ["start", "head"])
def test_something_else_yielded_is_an_error_that_names_the_layer(
    moment: str, kind: Kind, call: Any, answer: Any
) -> None:
    """Only a Response or nothing may be yielded."""

    @kind
    def wrong(request: Request) -> Any:
        if moment == "head":
            yield
        yield 404

    outcome = call(Pipeline([wrong]).asgi(answer()))
    assert isinstance(outcome.error, TypeError)
    assert "middleware wrong yielded int" in str(outcome.error)


def test_a_client_that_leaves_is_told_in_done(kind: Kind, call: Any, answer: Any) -> None:
    """Given a server whose send raises OSError, or that says disconnect, `done.disconnected` is true."""
    seen = []

    @kind
    def layer(request: Request) -> Any:
        yield
        seen.append((yield).disconnected)

    async def reading(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        assert (await receive())["type"] == "http.disconnect"

    app = Pipeline([layer])
    assert isinstance(call(app.asgi(answer()), gone_after=1).error, OSError)
    call(app.asgi(reading), body=())
    call(app.asgi(answer()))
    assert seen == [True, True, False]


def test_an_application_that_does_not_answer_failed(kind: Kind, call: Any) -> None:
    """Given an application that returns without a response, the layers get an error they can answer."""
    seen = []

    @kind
    def layer(request: Request) -> Any:
        try:
            yield
        except RuntimeError as error:
            seen.append(str(error))
            yield Response(500)

    async def silent(scope: Any, receive: Any, send: Any) -> None:
        pass

    assert call(Pipeline([layer]).asgi(silent)).status == 500
    assert seen == ["the application returned without a response"]


def test_a_response_to_head_has_no_body(call: Any, answer: Any) -> None:
    """RFC 9110, section 9.3.2: the headers are those of GET, the body stays away; 304 has neither body nor length."""

    def stopping(request: Request) -> Any:
        yield Response(304 if request.path == "/304" else 200, b"body")

    app = Pipeline([stopping]).asgi(answer())
    head, unchanged = call(app, method="HEAD"), call(app, path="/304")
    assert (head.body, head.header("content-length")) == (b"", "4")
    assert (unchanged.body, unchanged.header("content-length")) == (b"", None)


def test_an_application_that_reuses_its_messages_is_safe(call: Any) -> None:
    """Given an application that sends the same message object for each request, headers do not pile up."""
    start = {"type": "http.response.start", "status": 200, "headers": []}

    def layer(request: Request) -> Any:
        head = yield
        head.add("x-a", "1")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start)
        await send({"type": "http.response.body", "body": b""})

    wrapped = Pipeline([layer]).asgi(app)
    call(wrapped)
    assert len(call(wrapped).messages[0]["headers"]) == 1


@pytest.mark.parametrize("scope", ["lifespan", "websocket"])
def test_other_scopes_pass_untouched(scope: str) -> None:
    """Websockets and lifespan reach the application with the server's own receive and send."""
    seen: list[Any] = []

    def layer(request: Request) -> Any:
        seen.append("started")
        yield

    async def app(*given: Any) -> None:
        seen.append(given)

    given: Any = ({"type": scope}, object(), object())
    asyncio.run(Pipeline([layer]).asgi(app)(*given))
    assert seen == [given]


class TestWebsocket:
    """A middleware whose scopes include websocket sees the accept, or the close, as its head."""

    @staticmethod
    def run(layers: list[Any], app: Any, **scope: Any) -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []
        incoming: list[dict[str, Any]] = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1001}]

        async def receive() -> dict[str, Any]:
            return incoming.pop(0)

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        given = {"type": "websocket", "path": "/", "headers": [], **scope}
        wrapped: Any = Pipeline(layers).asgi(app)
        asyncio.run(wrapped(given, receive, send))
        return sent

    @staticmethod
    async def echo(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept", "headers": []})
        await send({"type": "websocket.send", "text": "hé"})
        await send({"type": "websocket.send", "bytes": b"abc"})
        await receive()

    def test_the_accept_is_the_head(self) -> None:
        """Headers may be added; `done` counts the bytes and says who left."""
        seen: list[Any] = []

        @middleware(scopes=["http", "websocket"])
        def layer(request: Request) -> Any:
            head = yield
            seen.append(head.status)
            head.set("x-a", "1")
            seen.append((yield))

        def http_only(request: Request) -> Any:
            seen.append("started")
            yield

        sent = self.run([layer, http_only], self.echo)
        assert seen == [101, Done(6, None, True)]
        assert sent[0] == {"type": "websocket.accept", "headers": [(b"x-a", b"1")]}

    def test_the_close_is_the_head(self) -> None:
        """A connection that the application refuses has status 403."""
        seen = []

        @middleware(scopes=["websocket"])
        def layer(request: Request) -> Any:
            seen.append((yield).status)

        async def refusing(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "websocket.close", "code": 4000})

        assert self.run([layer], refusing) == [{"type": "websocket.close", "code": 4000}]
        assert seen == [403]

    @pytest.mark.parametrize("moment", ["start", "head", "error"])
    @pytest.mark.parametrize("extension", [False, True])
    def test_a_response_denies(self, moment: str, extension: bool) -> None:
        """A Response closes the connection, or is sent where the server can; the application sees a disconnect."""
        seen = []

        @middleware(scopes=["websocket"])
        def layer(request: Request) -> Any:
            try:
                if moment == "head":
                    yield
                    yield Response(401, b"no")
                elif moment == "error":
                    yield
                else:
                    yield Response(401, b"no")
            except ValueError:
                yield Response(401, b"no")

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if moment == "error":
                raise ValueError
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.send", "text": "discarded"})
            seen.append((await receive())["type"])

        sent = self.run([layer], app, **({"extensions": {"websocket.http.response": {}}} if extension else {}))
        expected = ["websocket.http.response.start", "websocket.http.response.body"]
        assert [message["type"] for message in sent] == (expected if extension else ["websocket.close"])
        assert seen == (["websocket.disconnect"] if moment == "head" else [])
