"""What a middleware is, as tests: subclass :class:`MiddlewareContract`, supply the middleware, and run it.

::

    class TestTiming(MiddlewareContract):
        @pytest.fixture
        def middleware(self):
            return timing()
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar
from wsgiref.validate import validator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postrmagic_core.middleware import Middleware, Pipeline, Request, Response
from postrmagic_core.middleware.order import compiled

from .middleware_rig import Asked, answering, asgi, streaming, wsgi, wsgi_answering

_HOSTILE = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=60)
_VALUES = st.one_of(_HOSTILE, st.sampled_from(["", ",", ";", "=", "a=b; a=c", "\xff" * 100, "1" * 5000, "null", "*"]))


class MiddlewareContract:
    """Every promise of a middleware that one may put into any pipeline, under ASGI and WSGI.

    A subclass supplies the fixture ``middleware``: one as a pipeline gets it, configured so that the request of
    ``headers`` and ``method`` passes. ``read_by_it`` names the request headers that it reads: they are sent hostile
    values, to be refused at most. ``changes`` names response headers that it replaces; all others must pass.
    """

    method: ClassVar[str] = "GET"
    headers: ClassVar[Mapping[str, str]] = {"host": "example.org"}
    read_by_it: ClassVar[tuple[str, ...]] = ()
    changes: ClassVar[tuple[str, ...]] = ()

    @pytest.fixture
    def middleware(self) -> Middleware:
        """Override: the middleware."""
        raise NotImplementedError("supply a fixture `middleware`: the middleware as a pipeline gets it")

    @pytest.fixture
    def asked(self) -> Asked:
        """The request that passes."""
        return Asked(self.method, dict(self.headers))

    def test_it_is_a_generator_function_with_a_name(self, middleware: Middleware) -> None:
        """What a pipeline takes; the name is what others may demand to stand inside or outside of."""
        assert compiled(middleware).place.name.replace(".", "_").isidentifier()

    def test_an_ordinary_response_passes(self, middleware: Middleware, asked: Asked) -> None:
        """Status, body and headers of the application, under ASGI and WSGI alike."""
        pipeline = Pipeline([middleware])
        own = [("content-type", "text/plain"), ("x-own", "1"), ("x-own", "2"), ("content-length", "5")]
        for found in (
            asgi(pipeline.asgi(answering(201, own, b"hello")), asked),
            wsgi(pipeline.wsgi(wsgi_answering(201, own, b"hello")), asked),
        ):
            assert (found.status, found.body, found.error) == (201, b"hello", None)
            kept = [pair for pair in own if pair[0] not in self.changes]
            assert [pair for pair in found.headers if pair in kept] == kept

    def test_a_stream_passes_piece_by_piece(self, middleware: Middleware, asked: Asked) -> None:
        """Each chunk is out before the application makes the next."""
        made: list[int] = []
        found = asgi(Pipeline([middleware]).asgi(streaming(made)), asked, at_chunk=lambda: made.append(-1))
        assert found.body == b"0123"
        assert made == [0, -1, 1, -1, 2, -1, 3, -1]

        def lazily(environ: Any, start_response: Callable[..., Any]) -> Iterator[bytes]:
            start_response("200 OK", [("Content-Type", "text/plain")])
            for index in range(3):
                made.append(index)
                yield b"%d" % index

        made.clear()
        found = wsgi(Pipeline([middleware]).wsgi(lazily), asked, at_chunk=lambda: made.append(-1))
        assert (found.body, made) == (b"012", [0, -1, 1, -1, 2, -1])

    def test_the_body_of_a_request_passes(self, middleware: Middleware, asked: Asked) -> None:
        """Whole, in order, however it is cut."""
        for pieces in ([b""], [b"one piece"], [b"a", b"", b"bc" * 1000, b"d"]):
            sent = asked.sending(*pieces)
            assert asgi(Pipeline([middleware]).asgi(answering(200, [], None)), sent).body == b"".join(pieces)
            assert wsgi(Pipeline([middleware]).wsgi(wsgi_answering(200, [], None)), sent).body == b"".join(pieces)

    def test_no_error_is_swallowed(self, middleware: Middleware, asked: Asked) -> None:
        """It comes out, or an answer that tells of a failure does; never a success."""

        async def failing(*_: Any) -> None:
            raise LookupError("broken")

        def wsgi_failing(*_: Any) -> list[bytes]:
            raise LookupError("broken")

        for found in (
            asgi(Pipeline([middleware]).asgi(failing), asked),
            wsgi(Pipeline([middleware]).wsgi(wsgi_failing), asked),
        ):
            assert isinstance(found.error, LookupError) or found.status >= 400

    def test_an_error_after_the_head_reaches_the_server(self, middleware: Middleware, asked: Asked) -> None:
        """So that it cuts the connection: half a body must not look whole."""

        async def failing(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
            raise LookupError("broken")

        found = asgi(Pipeline([middleware]).asgi(failing), asked)
        assert (found.status, found.body) == (200, b"half")
        assert isinstance(found.error, LookupError)

    def test_the_answer_of_a_layer_inside_it_passes(self, middleware: Middleware, asked: Asked) -> None:
        """An early one, and one in the application's place."""

        def early(request: Request) -> Any:
            yield Response(403, b"no")

        def late(request: Request) -> Any:
            yield
            yield Response(404, b"none")

        for layer, expected in ((early, (403, b"no")), (late, (404, b"none"))):
            pipeline = Pipeline([middleware, layer])
            for found in (
                asgi(pipeline.asgi(answering(200, [], b"hello")), asked),
                wsgi(pipeline.wsgi(wsgi_answering(200, [], b"hello")), asked),
            ):
                assert (found.status, found.body) == expected

    def test_a_client_that_leaves_ends_it(
        self, middleware: Middleware, asked: Asked, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Before the head or within the body; it does not fail over that."""
        for after in (0, 2):
            with caplog.at_level(logging.ERROR, "postrmagic_core.middleware"):
                found = asgi(Pipeline([middleware]).asgi(streaming([])), asked, gone_after=after)
            assert isinstance(found.error, OSError | None)
        assert [record.getMessage() for record in caplog.records if "failed after" in record.getMessage()] == []

    def test_a_cancelled_request_ends_at_once(self, middleware: Middleware, asked: Asked) -> None:
        """And leaves no task behind."""

        async def main() -> None:
            begun = asyncio.Event()

            async def hanging(*_: Any) -> None:
                begun.set()
                await asyncio.Event().wait()

            task = asyncio.ensure_future(asked.exchange(Pipeline([middleware]).asgi(hanging)))
            waiting = asyncio.ensure_future(begun.wait())
            await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await waiting
            assert asyncio.all_tasks() == {asyncio.current_task()}

        asyncio.run(main())

    def test_a_head_from_another_task_does_no_harm(self, middleware: Middleware, asked: Asked) -> None:
        """Frameworks send from tasks of their own: no context variable's token is held over a yield."""

        async def elsewhere(scope: Any, receive: Any, send: Any) -> None:
            await asyncio.create_task(answering(200, [], b"hello")(scope, receive, send))

        found = asgi(Pipeline([middleware]).asgi(elsewhere), asked)
        assert (found.status, found.body, found.error) == (200, b"hello", None)

    def test_what_it_sets_is_seen_by_the_application(self, middleware: Middleware, asked: Asked) -> None:
        """Context variables that were set outside it are so inside it, and afterwards."""
        outside: contextvars.ContextVar[str] = contextvars.ContextVar("outside", default="")
        seen: list[str] = []

        async def looking(scope: Any, receive: Any, send: Any) -> None:
            seen.append(outside.get())
            await answering(200, [], b"")(scope, receive, send)

        async def main() -> None:
            outside.set("here")
            await asked.exchange(Pipeline([middleware]).asgi(looking))
            seen.append(outside.get())

        asyncio.run(main())
        assert seen == ["here", "here"]

    def test_requests_at_the_same_time_have_nothing_in_common(self, middleware: Middleware, asked: Asked) -> None:
        """Each gets its own answer, whichever ends first."""

        async def main() -> list[bytes]:
            gate = asyncio.Event()

            async def waiting(scope: Any, receive: Any, send: Any) -> None:
                await gate.wait()
                await answering(200, [], scope["query_string"])(scope, receive, send)

            app = Pipeline([middleware]).asgi(waiting)
            tasks = [asyncio.ensure_future(asked.at(query=f"n={n}").exchange(app)) for n in range(20)]
            await asyncio.sleep(0)
            gate.set()
            return [(await task).body for task in tasks]

        assert asyncio.run(main()) == [b"n=%d" % number for number in range(20)]

    @pytest.mark.parametrize("kind", ["websocket", "lifespan"])
    def test_other_connections_pass_untouched(self, middleware: Middleware, kind: str) -> None:
        """Unless it asks for websockets."""
        if kind in compiled(middleware).place.scopes:
            pytest.skip(f"it asks for {kind}")
        passed: list[Any] = []

        async def app(*given: Any) -> None:
            passed.append(given)

        given_ = ({"type": kind}, object(), object())
        asyncio.run(Pipeline([middleware]).asgi(app)(*given_))  # type: ignore[arg-type]  # told apart by identity only
        assert passed == [given_]

    def test_the_standard_librarys_validator_finds_nothing(self, middleware: Middleware, asked: Asked) -> None:
        """wsgiref.validate, around it and within it."""
        app = validator(
            Pipeline([middleware]).wsgi(validator(wsgi_answering(200, [("Content-Type", "text/plain")], b"x")))
        )
        assert wsgi(app, asked).error is None

    def test_nothing_that_a_client_sends_makes_it_fail(self, middleware: Middleware, asked: Asked) -> None:
        """Hostile headers, cookies, paths and queries are let pass or refused: 4xx at most."""
        names = (*self.read_by_it, "cookie", "host", "content-length", "x-forwarded-for", "x-request-id", "origin")
        headers = st.lists(st.tuples(st.sampled_from(names), _VALUES), max_size=5)

        @settings(max_examples=40, deadline=None, database=None)
        @given(headers=headers, path=_HOSTILE, query=_HOSTILE)
        def tried(headers: list[tuple[str, str]], path: str, query: str) -> None:
            hostile = asked.at(path=f"/{path}", query=query).also(headers)
            for found in (
                asgi(Pipeline([middleware]).asgi(answering(200, [], b"")), hostile),
                wsgi(Pipeline([middleware]).wsgi(wsgi_answering(200, [], b"")), hostile),
            ):
                assert found.error is None
                assert found.status < 500

        tried()
