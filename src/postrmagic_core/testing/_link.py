"""One proxied connection: two sockets and what was seen of them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass
from typing import Literal

CHUNK = 65536
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: close() sends RST (socket(7))


@dataclass(frozen=True, slots=True)
class Cut:
    """End the connection after ``after`` bytes of reply."""

    after: int
    how: Literal["close", "reset", "hang"]


class Link:
    """A client's connection and the one to the server behind it."""

    def __init__(
        self,
        client_in: asyncio.StreamReader,
        client_out: asyncio.StreamWriter,
        server_in: asyncio.StreamReader,
        server_out: asyncio.StreamWriter,
    ) -> None:
        self.client_in, self.client_out = client_in, client_out
        self.server_in, self.server_out = server_in, server_out
        self.struck: object = None
        self._tail = b""
        self._counting: object = None
        self._delivered = 0
        # With no buffer of our own drain() returns when the kernel has everything: a later reset discards nothing.
        client_out.transport.set_write_buffer_limits(0)

    def asks_for(self, pattern: bytes, data: bytes) -> bool:
        """Whether the request stream, ``data`` now added, completes ``pattern``, also across two chunks."""
        seen = self._tail + data
        self._tail = seen[-(len(pattern) - 1) :] if len(pattern) > 1 else b""
        return pattern in seen

    async def deliver(self, data: bytes) -> None:
        """Send ``data`` to the client."""
        self.client_out.write(data)
        await self.client_out.drain()

    async def deliver_sliced(self, data: bytes, size: int, pause: float) -> None:
        """Send ``data`` in pieces of ``size`` bytes, ``pause`` seconds between them."""
        for start in range(0, len(data), size):
            if start:
                await asyncio.sleep(pause)
            await self.deliver(data[start : start + size])

    async def deliver_until(self, cut: Cut, fault: object, data: bytes) -> bool:
        """Send what ``cut`` lets through, counted from the moment ``fault`` struck; whether there was more."""
        if self._counting is not fault:
            self._counting, self._delivered = fault, 0
        allowed = data[: max(0, cut.after - self._delivered)]
        self._delivered += len(allowed)
        if allowed:
            await self.deliver(allowed)
        return len(allowed) < len(data)

    def reset(self) -> None:
        """End both connections by RST."""
        for out in (self.client_out, self.server_out):
            raw = out.get_extra_info("socket")
            if raw is not None and not out.transport.is_closing():
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            out.transport.abort()

    async def close(self) -> None:
        """End both connections in order (FIN after what was written)."""
        for out in (self.client_out, self.server_out):
            out.close()
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                await asyncio.wait_for(out.wait_closed(), 1.0)
