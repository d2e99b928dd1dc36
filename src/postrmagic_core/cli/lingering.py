"""An answer that comes before its request has arrived: the rest is read before the connection ends.

Whoever closes a connection while the other side still sends takes its own answer back: the kernel resets what has bytes
left unread, and throws away what was on its way (RFC 9112, 9.6). A refused upload would be a broken connection to its
client, and 502 to who asks through a proxy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from .draining import Application, Message, Receive, Scope, Send

_SECONDS = 10.0
# Between two pieces of a body: nobody sends any more, or never began to.
_SILENCE = 2.0


class Lingering:
    """``app``, whose early answers reach a client that is still sending.

    The answer goes out at once; its end, with which the server closes the connection, waits for the request's, ten
    seconds at most. What is read meanwhile is thrown away.
    """

    def __init__(self, app: Application) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _sends(scope["headers"]):
            await self._lingering(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _lingering(self, scope: Scope, receive: Receive, send: Send) -> None:
        arrived = False

        async def receiving() -> Message:
            nonlocal arrived
            message = await receive()
            arrived = arrived or not message.get("more_body", False)
            return message

        async def sending(message: Message) -> None:
            if arrived or message["type"] != "http.response.body" or message.get("more_body", False):
                await send(message)
                return
            await send({**message, "more_body": True})
            with suppress(TimeoutError):
                async with asyncio.timeout(_SECONDS):
                    while not arrived:
                        await asyncio.wait_for(receiving(), _SILENCE)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        await self._app(scope, receiving, sending)


def _sends(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether the client is sending a body: one that waits to be told to go on (RFC 9110, 10.1.1) is not."""
    told = {bytes(name).lower(): bytes(value) for name, value in headers}
    return b"expect" not in told and (b"transfer-encoding" in told or told.get(b"content-length", b"0") != b"0")
