"""Fifty clients in one process, each on a connection that stays open: asks, waits for the answer, and asks again.

Each has an address of its own, from 127.0.1.1 on: limits that count by address count each client by itself. Run by
``served``: ``python -m benchmarks.api.client OPERATION PORT COOKIES POSTER TURN``, the last as JSON.
"""

from __future__ import annotations

import itertools
import json
import math
import re
import selectors
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .requests import Requests

CLIENTS = 50
# Before anything is counted.
_WARM = 0.3
_PATIENCE = 60.0
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Turn:
    """How long to ask: so many ``seconds``, or until so many answers came. ``first`` numbers the first request."""

    first: int
    seconds: float = 0.0
    answers: int = 0


@dataclass
class Found:
    """``times``: seconds of each request answered in the measured time; ``rate``: answers a second within it.

    ``asked``: how many requests were sent in all; ``cost`` and ``served``: seconds of processor that one took the
    clients and the server, 0 where that is not known.
    """

    rate: float = 0.0
    asked: int = 0
    cost: float = 0.0
    served: float = 0.0
    times: list[float] = field(default_factory=list)


def address_of(number: int) -> str:
    """Where the client of this number connects from."""
    return f"127.0.1.{number + 1}"


class Line:
    """A client's connection: a request under way, and what has come of its answer."""

    def __init__(self, number: int, port: int) -> None:
        self.began = 0.0
        self._got = bytearray()
        self._whole = 0
        self.socket = socket.create_connection(("127.0.0.1", port), _PATIENCE, (address_of(number), 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request: bytes) -> None:
        """Send the request."""
        self._got.clear()
        self._whole = 0
        self.began = time.perf_counter()
        self.socket.sendall(request)

    def answered(self) -> bool:
        """Take what has come; whether it is the whole answer. Raises :class:`RuntimeError` for one that is no 200."""
        piece = self.socket.recv(262_144)
        self._got += piece
        if not self._whole:
            end = self._got.find(b"\r\n\r\n")
            if end >= 0 and (length := _LENGTH.search(self._got, 0, end)):
                self._whole = end + 4 + int(length[1])
        if not piece or not self._got.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")):
            raise RuntimeError(f"expected an answer of 200 or 201, got {bytes(self._got[:600])!r}")
        return 0 < self._whole <= len(self._got)

    @property
    def body(self) -> bytes:
        """The body of the answer that came whole."""
        return bytes(self._got.partition(b"\r\n\r\n")[2])


def ask(lines: Sequence[Line], requests: Sequence[Requests], turn: Turn) -> Found:
    """Let the clients ask for a turn. One of a time begins to count when it is warm, one of a number at once."""
    found, used = Found(), time.process_time()
    begin = time.perf_counter() + (0 if turn.answers else _WARM)
    end = math.inf if turn.answers else begin + turn.seconds
    numbers, now = itertools.count(turn.first), begin
    with selectors.DefaultSelector() as selector:
        for line, asks in zip(lines, requests, strict=True):
            selector.register(line.socket, selectors.EVENT_READ, (line, asks))
            line.ask(asks.of(next(numbers)))
            found.asked += 1
        while selector.get_map():
            ready = selector.select(_PATIENCE)
            if not ready:
                raise RuntimeError("the server does not answer")
            for key, _ in ready:
                line, asks = key.data
                if not line.answered():
                    continue
                now = time.perf_counter()
                if begin <= now < end:
                    found.times.append(now - line.began)
                if now < end and not 0 < turn.answers <= found.asked:
                    line.ask(asks.of(next(numbers)))
                    found.asked += 1
                else:
                    selector.unregister(line.socket)  # the server may close what is idle
    found.rate = len(found.times) / (turn.seconds or now - begin)
    found.cost = (time.process_time() - used) / found.asked
    return found


def main(operation: str, port: str, cookies: str, poster: str, turn: str) -> None:
    """Print what was found."""
    told = json.loads(Path(cookies).read_text(encoding="utf-8"))
    image = Path(poster).read_bytes()
    requests = [Requests(operation, cookie, image) for cookie in told]
    lines = [Line(number, int(port)) for number in range(len(told))]
    print(json.dumps(asdict(ask(lines, requests, Turn(**json.loads(turn))))))
    for line in lines:
        line.socket.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
