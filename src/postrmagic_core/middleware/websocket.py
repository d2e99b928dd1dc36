"""The pipeline around a websocket, for the layers that ask for it: the head is the accept or the close."""

from __future__ import annotations

from .._work import begin_work, end_work
from .asgi import ASGIApp, Message, Receive, Send
from .interface import Head, Response
from .run import Run

_POLICY_VIOLATION = 1008  # RFC 6455, section 7.4.1
# What decides a handshake, and the HTTP status it is to a layer; a denial response carries its own.
_STATUS = {"websocket.accept": 101, "websocket.close": 403, "websocket.http.response.start": 403}


class Connection(Run):
    """One websocket: after the accept only its bytes are counted."""

    size = 0
    _decided = False
    _replaced = False
    _receive: Receive
    _send: Send

    async def serve(self, app: ASGIApp, receive: Receive, send: Send) -> None:
        """Run the layers around ``app``; raises what no layer answered."""
        self._receive = receive
        self._send = send
        before = begin_work(self.request)
        failure: BaseException | None = None
        try:
            early = await self.begin()
            if early is not None:
                await self._deny(early)
            else:
                await self._through(app)
        except BaseException as error:
            failure = error
            raise
        finally:
            try:
                await self.finish(self.size, failure, self.request.disconnected)
            finally:
                end_work(self.request, before)

    async def _through(self, app: ASGIApp) -> None:
        try:
            await app(self.request.scope, self.receive, self.send)
        except Exception as error:
            if self._decided:
                raise
            await self._deny(await self.answer(error))

    async def receive(self) -> Message:
        """The application's ``receive``; a connection we denied is closed to it."""
        if self._replaced:
            return {"type": "websocket.disconnect", "code": _POLICY_VIOLATION}
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self.request.disconnected = True
        return message

    async def send(self, message: Message) -> None:
        """The application's ``send``."""
        if self._replaced:
            return None
        if not self._decided and message["type"] in _STATUS:
            self._decided = True
            status = message.get("status", _STATUS[message["type"]])
            head = await self.outward(Head(status, message.get("headers", ())))
            if isinstance(head, Response):
                return await self._deny(head)
            if message["type"] != "websocket.close":
                message = {**message, "headers": head.headers}
        self.size += len(message.get("bytes") or (message.get("text") or "").encode())
        await self._send(message)
        return None

    async def _deny(self, response: Response) -> None:
        self._decided = self._replaced = True
        if "websocket.http.response" in (self.request.scope.get("extensions") or {}):
            start = {"status": response.status, "headers": response.headers}
            await self._send({"type": "websocket.http.response.start", **start})
            await self._send({"type": "websocket.http.response.body", "body": response.body})
        else:
            await self._send({"type": "websocket.close", "code": _POLICY_VIOLATION})
