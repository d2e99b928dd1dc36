"""The pipeline around a WSGI application (PEP 3333), in one context from the first layer to the last chunk."""

from __future__ import annotations

import contextvars
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator
from contextlib import suppress
from http import HTTPStatus
from typing import Any, TypeAlias, TypeVar

from .._work import Work, begin_work, end_work
from ..errors import UsageError
from .asgi import wire
from .environ import Ahead, Input, follow, messages, scope_of
from .interface import Head, Response
from .order import Compiled, Layers
from .pipeline_request import PipelineRequest
from .run import Run

T = TypeVar("T")
Environ: TypeAlias = dict[str, Any]
StartResponse: TypeAlias = Callable[..., Any]
WSGIApp: TypeAlias = Callable[[Environ, StartResponse], Iterable[bytes]]

logger = logging.getLogger("postrmagic_core.middleware")


def drive(coroutine: Coroutine[Any, Any, T], name: str) -> T:
    """The result of a coroutine that never suspends; one that does raises :class:`UsageError` naming ``name``."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    mistake = UsageError(
        f"middleware {name} waited for something under WSGI, where there is no event loop: "
        "await only faces from request.face(manager), or write it as a plain generator"
    )
    with suppress(StopIteration):  # even a layer that catches it has not kept the rule
        coroutine.throw(mistake)
    raise mistake


class Driven:
    """An async generator stepped by hand, with the methods of a plain one."""

    def __init__(self, generator: AsyncGenerator[Any, Any], name: str) -> None:
        self._generator = generator
        self._name = name

    def __next__(self) -> Any:
        """Start."""
        return self.send(None)

    def send(self, value: Any) -> Any:
        """Resume with ``value``; its end is :class:`StopIteration`."""
        return self._step(self._generator.asend(value))

    def throw(self, error: BaseException) -> Any:
        """Resume by raising ``error`` at the yield."""
        return self._step(self._generator.athrow(error))

    def close(self) -> None:
        """Raise :class:`GeneratorExit` at the yield."""
        self._step(self._generator.aclose())

    def _step(self, awaitable: Any) -> Any:
        async def step() -> Any:
            return await awaitable

        try:
            return drive(step(), self._name)
        except StopAsyncIteration:
            raise StopIteration from None


def by_hand(layer: Compiled) -> Compiled:
    """The same layer without an event loop."""
    if not layer.is_async:
        return layer
    return Compiled(lambda request: Driven(layer.call(request), layer.place.name), layer.place, is_async=False)


class Call(Run):
    """One request. The head leaves with the first chunk, so that an application may still change its mind."""

    def __init__(
        self,
        layers: Layers,
        environ: Environ,
        start_response: StartResponse,
        kind: type[PipelineRequest] = PipelineRequest,
    ) -> None:
        self._environ = environ
        scope = scope_of(environ)
        self._told = dict(scope)
        super().__init__(layers, kind(scope))
        self.request.inline = True
        self.request.source = messages(environ)
        self._before: Work | None = None
        self._server_start = start_response
        self._server_write: Callable[[bytes], object] | None = None
        self._spoken: tuple[str, list[tuple[str, str]]] | None = None
        self._result: Iterable[bytes] = ()
        self._chunks: Iterator[bytes] = iter(())
        self._left = self._replaced = self._exhausted = False
        self._size = 0
        self._error: BaseException | None = None

    def start(self, app: WSGIApp) -> None:
        """Start the layers and call ``app``; raises what no layer answered, after closing them."""
        self._before = begin_work(self.request)
        try:
            early = drive(self.begin(), "pipeline")
            if early is not None:
                return self._respond(early)
            follow(self._environ, self._told, self.request.scope)
            if self.request.ahead:
                self._environ["wsgi.input"] = Ahead(self.request.ahead, self._environ["wsgi.input"])
            if self.request.body_hooks:
                self._environ["wsgi.input"] = Input(self._environ["wsgi.input"], self.request.body_hooks)
            try:
                self._result = app(self._environ, self.start_response)
                self._chunks = iter(self._result)
            except Exception as error:
                self._fail(error)
        except BaseException as error:
            self._error = error
            self.close()
            raise

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        """The application's ``start_response``."""
        if self._left and not self._replaced:
            if exc_info is None:
                raise UsageError("start_response was called again after the head had left, without exc_info")
            raise exc_info[1].with_traceback(exc_info[2])
        self._spoken = (status, headers)
        return self.write

    def write(self, chunk: bytes) -> None:
        """What ``start_response`` returns, for applications of old."""
        if not self._left:
            self._leave()
        self._tell(chunk, last=False)
        if self._server_write is not None and not self._replaced:
            self._size += len(chunk)
            self._server_write(chunk)

    def next(self) -> bytes:
        """The next chunk for the server; raises what no layer answered."""
        try:
            return self._chunk()
        except StopIteration:
            self._exhausted = True
            raise
        except BaseException as error:
            self._error = error
            raise

    def _chunk(self) -> bytes:
        try:
            chunk = next(self._chunks)
        except StopIteration:
            self._tell(b"", last=True)
            if self._left:
                raise
            chunk = b""
        except Exception as error:
            if self._left:
                raise
            self._fail(error)
            return self._chunk()
        if not self._left:
            self._leave()
            if self._replaced:
                return self._chunk()
        self._tell(chunk, last=False)
        self._size += len(chunk)
        return chunk

    def _tell(self, chunk: bytes, *, last: bool) -> None:
        if self.request.response_hooks and not self._replaced:
            for hook in self.request.response_hooks:
                hook(chunk, last)

    def _leave(self) -> None:
        if self._spoken is None:
            return self._fail(RuntimeError("the application returned without calling start_response"))
        status, headers = self._spoken
        head = Head(int(status[:3]), [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers])
        shown = drive(self.outward(head), "pipeline")
        if isinstance(shown, Response):
            return self._respond(shown)
        self._start(shown, status if shown.status == int(status[:3]) else None)
        return None

    def _fail(self, error: Exception) -> None:
        self._respond(drive(self.answer(error), "pipeline"))

    def _respond(self, response: Response) -> None:
        headers, body = wire(response, self.request.method)
        self._replaced = True
        self._close_result()
        self._result, self._chunks = (), iter([body])
        self._start(Head(response.status, headers), None)

    def _start(self, head: Head, line: str | None) -> None:
        self._left = True
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers]
        self._server_write = self._server_start(line or _status_line(head.status), headers)

    def _close_result(self) -> None:
        close = getattr(self._result, "close", None)
        self._result = ()
        if close is not None:
            try:
                close()
            except Exception as error:  # after the head: told to the layers, and in the log
                self._error = self._error or error
                logger.exception("the application failed to close its response")

    def close(self) -> None:
        """End: the application's iterable first, then the layers, innermost first."""
        try:
            self._close_result()
            gone = not self._exhausted and self._error is None
            drive(self.finish(self._size, self._error, gone), "pipeline")
        finally:
            end_work(self.request, self._before)


class Body:
    """What the server iterates and closes; every step runs in the request's context."""

    def __init__(self, context: contextvars.Context, call: Call) -> None:
        self._context = context
        self._call: Call | None = call

    def __iter__(self) -> Body:
        return self

    def __next__(self) -> bytes:
        if self._call is None:
            raise StopIteration
        return self._context.run(self._call.next)

    def close(self) -> None:
        """PEP 3333: the server calls this in any case."""
        call, self._call = self._call, None
        if call is not None:
            self._context.run(call.close)


def serve(
    app: WSGIApp,
    layers: Layers,
    environ: Environ,
    start_response: StartResponse,
    kind: type[PipelineRequest] = PipelineRequest,
) -> Body:
    """Answer one request."""
    context = contextvars.copy_context()
    call = Call(layers, environ, start_response, kind)
    context.run(call.start, app)
    return Body(context, call)


def _status_line(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} Status {status}"
