"""The pipeline around an ASGI application (ASGI 3.0, HTTP 2.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping, Sequence
from typing import Any, TypeAlias

from .._work import working
from .interface import Head, Request, Response, Scope
from .order import Compiled
from .run import Run

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Wrapped: TypeAlias = Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]

# An application whose response was replaced may send this often before we look whether anybody is left to hear it.
_PATIENCE = 64


class ClientGone(OSError):
    """Nobody hears this response any more; what an ASGI server raises from ``send`` too."""


class Exchange:
    """One HTTP request: stands between the application and the server's ``receive`` and ``send``."""

    __slots__ = (
        "_app", "_discarded", "_failure", "_gone", "_own", "_probe", "_receive", "_receiving", "_send", "_started",
        "error", "replaced", "request", "run", "size", "whole",
    )  # fmt: skip

    def __init__(self, layers: Sequence[Compiled], scope: Scope, receive: Receive, send: Send) -> None:
        self.request = Request(scope)
        self.run = Run(layers, self.request)
        self.size = 0
        self.error: BaseException | None = None
        self.whole = False  # the response has been sent to its end
        self.replaced = False
        self._receive = receive
        self._send = send
        self._started = False
        self._failure: Exception | None = None
        self._own: list[BaseException] = []  # raised into the application by us: no errors of its own
        self._gone: ClientGone | None = None
        self._discarded = 0
        self._probe: asyncio.Future[Message] | None = None
        self._receiving = 0

    async def serve(self, app: ASGIApp) -> None:
        """Run the layers around ``app``; raises what no layer answered."""
        with working(self.request):
            try:
                early = await self.run.begin()
                if early is not None:
                    await self._emit(early)
                else:
                    await self._through(app)
            except BaseException as error:
                self.error = error
                raise
            finally:
                if self._probe is not None:
                    self._probe.cancel()
                await self.run.finish(self.size, self.error, self.request.disconnected)

    async def _through(self, app: ASGIApp) -> None:
        failure: Exception | None = None
        try:
            await app(self.request.scope, self.receive, self.send)
        except Exception as error:
            failure = error
        if self._failure is not None:  # a layer failed over the head: what the application makes of that is no matter
            raise self._failure
        if failure is None:
            if self._started or self.request.disconnected:
                return
            failure = RuntimeError("the application returned without a response")
        if not self._started:
            await self._emit(await self.run.answer(failure))
        elif not (self.whole and any(_stems(failure, own) for own in self._own)):
            raise failure

    async def receive(self) -> Message:
        """The application's ``receive``."""
        self._receiving += 1
        try:
            probe, self._probe = self._probe, None
            message = await (self._receive() if probe is None else probe)
        finally:
            self._receiving -= 1
        if message["type"] == "http.disconnect":
            # Servers say so after the whole response too: then nobody left early.
            self.request.disconnected = self.request.disconnected or not self.whole
        elif self.request.body_hooks:
            self._show(message.get("body", b""))
        return message

    def _show(self, chunk: bytes) -> None:
        try:
            for hook in self.request.body_hooks:
                hook(chunk)
        except Exception as refusal:
            self._own.append(refusal)
            raise

    async def send(self, message: Message) -> None:
        """The application's ``send``."""
        if self.replaced:
            return await self._discard()
        if message["type"] == "http.response.start" and not self._started:
            return await self._start(message)
        await self._forward(message)
        self.size += len(message.get("body", b""))
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self.whole = True
        return None

    async def _start(self, message: Message) -> None:
        self._started = True
        try:
            head = await self.run.outward(Head(message["status"], message.get("headers", ())))
        except Exception as error:
            self._failure = error
            self.replaced = True
            raise
        if isinstance(head, Response):
            await self._emit(head)
        else:
            # a copy: an application may send the same message for every request
            await self._forward({**message, "status": head.status, "headers": head.headers})

    async def _forward(self, message: Message) -> None:
        try:
            await self._send(message)
        except OSError:
            self.request.disconnected = True
            raise

    async def _emit(self, response: Response) -> None:
        self._started = self.replaced = True
        headers, body = wire(response, self.request.method)
        try:
            await self._send({"type": "http.response.start", "status": response.status, "headers": headers})
            await self._send({"type": "http.response.body", "body": body})
        except OSError:
            self.request.disconnected = True
            self._gone = ClientGone("the client is gone")
            self._own.append(self._gone)
        else:
            self.size = len(body)
        self.whole = True

    async def _discard(self) -> None:
        """Take a message nobody will see. An application that never ends must not hold the loop, nor go on for ever."""
        await asyncio.sleep(0)
        self._discarded += 1
        if self._gone is None and self._discarded > _PATIENCE and not self._receiving:
            if self._probe is None:
                self._probe = asyncio.ensure_future(self._receive())
                await asyncio.sleep(0)
            if _says_disconnect(self._probe):
                self._gone = ClientGone("the response was replaced and is over")
                self._own.append(self._gone)
        if self._gone is not None:
            raise self._gone


def _says_disconnect(probe: asyncio.Future[Message]) -> bool:
    if not probe.done() or probe.cancelled() or probe.exception() is not None:
        return False
    return bool(probe.result()["type"] == "http.disconnect")


def _stems(error: BaseException | None, source: BaseException) -> bool:
    """Whether ``error`` is ``source``, or was raised because of it."""
    for _ in range(10):
        if error is None or error is source:
            break
        error = error.__cause__ or error.__context__
    return error is source


def wire(response: Response, method: str) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Headers and body as they go out: with a length, without a body where there is none (RFC 9110, section 6.4.1)."""
    headers = list(response.headers)
    if response.status in {204, 304} or response.status < 200:
        return headers, b""
    if response.get("content-length") is None:
        headers.append((b"content-length", str(len(response.body)).encode()))
    return headers, b"" if method == "HEAD" else response.body
