"""The pipeline around an ASGI application (ASGI 3.0, HTTP 2.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any, TypeAlias

from .._work import begin_work, end_work
from ..errors import BodyTooSlow, ResponseTooSlow
from .interface import Head, Response, Scope
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


class Exchange(Run):
    """One HTTP request: stands between the application and the server's ``receive`` and ``send``."""

    # What most requests never change costs them nothing here.
    size = 0
    error: BaseException | None = None
    whole = False
    """The response has been sent to its end."""
    replaced = False
    _started = False
    _failure: Exception | None = None
    _own: tuple[BaseException, ...] = ()  # raised into the application by us: no errors of its own
    _gone: ClientGone | None = None
    _discarded = 0
    _probe: asyncio.Future[Message] | None = None
    _receiving = 0
    _timer: asyncio.Timeout | None = None

    _send: Send

    async def serve(self, app: ASGIApp, receive: Receive, send: Send) -> None:
        """Run the layers around ``app``; raises what no layer answered."""
        request = self.request
        request.source = receive
        self._send = send
        before = begin_work(request)
        try:
            early = None if self.entered() else await self.begin()
            if early is not None:
                await self._emit(early)
                return
            try:
                if request.time_limit is None:
                    await app(request.scope, self.receive, self.send)
                else:
                    await self._timed(app, request.time_limit)
            except Exception as error:
                await self._over(error)
            else:
                if self._failure is not None or not self._started:
                    await self._over(None)
        except BaseException as error:
            self.error = error
            raise
        finally:
            if self._probe is not None:
                self._probe.cancel()
            try:
                if not self.ended(self.size, self.error, request.disconnected):
                    await self.finish(self.size, self.error, request.disconnected)
            finally:
                end_work(request, before)

    async def _timed(self, app: ASGIApp, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds) as self._timer:
                await app(self.request.scope, self.receive, self.send)
        except TimeoutError as error:
            if self._timer is None or not self._timer.expired():
                raise
            raise ResponseTooSlow(f"the application did not answer within {seconds:g} s") from error

    async def _over(self, failure: Exception | None) -> None:
        """The application failed, or returned where that is not the end of it."""
        if self._failure is not None:  # a layer failed over the head: what the application makes of that is no matter
            raise self._failure
        if failure is None:
            if self._started or self.request.disconnected:
                return
            failure = RuntimeError("the application returned without a response")
        if not self._started:
            await self._emit(await self.answer(failure))
        elif not (self.whole and any(_stems(failure, own) for own in self._own)):
            raise failure

    async def receive(self) -> Message:
        """The application's ``receive``."""
        ahead = self.request.ahead
        if ahead:
            message, self.request.ahead = ahead[0], ahead[1:]
        else:
            try:
                message = await self._received()
            except BodyTooSlow as refusal:
                self._own += (refusal,)
                raise
        if message["type"] == "http.disconnect":
            # Servers say so after the whole response too: then nobody left early.
            self.request.disconnected = self.request.disconnected or not self.whole
        elif self.request.body_hooks:
            self._show(message.get("body", b""))
        return message

    async def _received(self) -> Message:
        self._receiving += 1
        try:
            probe, self._probe = self._probe, None
            return await (self.request.arrive() if probe is None else probe)
        finally:
            self._receiving -= 1

    def _show(self, chunk: bytes) -> None:
        try:
            for hook in self.request.body_hooks:
                hook(chunk)
        except Exception as refusal:
            self._own += (refusal,)
            raise

    async def send(self, message: Message) -> None:
        """The application's ``send``."""
        kind = message["type"]
        if self.request.response_hooks and kind == "http.response.body":
            for hook in self.request.response_hooks:
                hook(message.get("body", b""), not message.get("more_body"))
        if self.replaced:
            return await self._discard()
        if kind == "http.response.start" and not self._started:
            self._started = True
            if self._timer is not None:
                self._timer.reschedule(None)
            head = Head(message["status"], message.get("headers", ()))
            if not self.shown(head):
                shown = await self._decided(head)
                if shown is None:
                    return None
                head = shown
            # A copy: an application may send the same message for every request.
            message = {**message, "status": head.status, "headers": head.headers}
        try:
            await self._send(message)
        except OSError:
            self.request.disconnected = True
            if not self.request.response_hooks:
                raise
            self.replaced = True  # who asked to hear the response hears the rest of it
            return None
        if kind == "http.response.body":
            self.size += len(message.get("body", b""))
            if not message.get("more_body"):
                self.whole = True
        return None

    async def _decided(self, head: Head) -> Head | None:
        """The head as the layers leave it; ``None`` where one of them answered instead: that has been sent."""
        try:
            shown = await self.outward(head)
        except Exception as error:
            self._failure = error
            self.replaced = True
            raise
        if isinstance(shown, Response):
            await self._emit(shown)
            return None
        return shown

    async def _emit(self, response: Response) -> None:
        self._started = self.replaced = True
        headers, body = wire(response, self.request.method)
        try:
            await self._send({"type": "http.response.start", "status": response.status, "headers": headers})
            await self._send({"type": "http.response.body", "body": body})
        except OSError:
            self.request.disconnected = True
            self._gone = ClientGone("the client is gone")
            self._own += (self._gone,)
        else:
            self.size = len(body)
        self.whole = True

    async def _discard(self) -> None:
        """Take a message nobody will see. An application that never ends must not hold the loop, nor go on for ever."""
        await asyncio.sleep(0)
        self._discarded += 1
        if self._gone is None and self._discarded > _PATIENCE and not self._receiving:
            if self._probe is None:
                self._probe = asyncio.ensure_future(self.request.arrive())
                await asyncio.sleep(0)
            if _says_disconnect(self._probe):
                self._gone = ClientGone("the response was replaced and is over")
                self._own += (self._gone,)
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
