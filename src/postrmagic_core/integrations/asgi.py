"""The pipeline and the Stack around any ASGI application."""

from __future__ import annotations

import logging

from ..middleware import Pipeline
from ..middleware.asgi import ASGIApp, Message, Receive, Send, Wrapped
from ..middleware.interface import Scope
from ..stack import Stack

logger = logging.getLogger("postrmagic_core.integrations")


def install(application: ASGIApp, pipeline: Pipeline, stack: Stack | None = None) -> Wrapped:
    """``application`` inside ``pipeline``; ``stack`` is open from the server's start-up to its shutdown.

    An application that knows no lifespan needs not learn it. A Stack that does not open stops the server's start. A
    server that sends no lifespan events opens nothing: open the Stack around it.
    """
    inside = pipeline.asgi(application)
    if stack is None:
        return inside

    async def installed(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _Lifespan(stack, receive, send).serve(inside, scope)
        else:
            await inside(scope, receive, send)

    return installed


class _Lifespan:
    """One run of the server, between it and the application: the Stack opens first and closes last."""

    def __init__(self, stack: Stack, receive: Receive, send: Send) -> None:
        self._stack = stack
        self._receive = receive
        self._send = send
        self._given: list[Message] = []
        self._started = self._over = False

    async def serve(self, application: ASGIApp, scope: Scope) -> None:
        self._given.append(await self._receive())
        try:
            await self._stack.__aenter__()
        except Exception as error:
            await self._send({"type": "lifespan.startup.failed", "message": f"the Stack did not open: {error}"})
            raise
        try:
            await self._through(application, scope)
            if not self._over:
                await self._alone()
        finally:
            await self._stack.__aexit__(None, None, None)

    async def _through(self, application: ASGIApp, scope: Scope) -> None:
        try:
            await application(scope, self._next, self._tell)
        except Exception as error:
            # ASGI, "Lifespan Protocol": an exception before any answer says that the application knows none.
            if self._started or self._over:
                raise
            logger.info("the application has no lifespan of its own: %s", type(error).__name__)

    async def _next(self) -> Message:
        return self._given.pop() if self._given else await self._receive()

    async def _tell(self, message: Message) -> None:
        if not message["type"].startswith("lifespan."):
            raise TypeError(f"a lifespan knows no {message['type']}")
        if message["type"] == "lifespan.startup.complete":
            self._started = True
        else:  # a failed start, or the end: the server may not wait for what comes after this message
            self._over = True
            await self._stack.__aexit__(None, None, None)
        await self._send(message)

    async def _alone(self) -> None:
        """Answer in the application's place what it leaves unanswered."""
        if not self._started:
            await self._send({"type": "lifespan.startup.complete"})
        await self._receive()
        await self._stack.__aexit__(None, None, None)
        await self._send({"type": "lifespan.shutdown.complete"})
