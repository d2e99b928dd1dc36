"""Fifty clients in one process: each asks, waits for the answer, and asks again, with the next of its sessions.

Nobody's session is asked for many times a second: in whole seconds ``last_activity`` would then be the same, and SQLite
writes no page that does not change. So there are more sessions than clients.

Run by ``served``: ``python -m benchmarks.sessions.client SOCKET TOKENS SECONDS SEED``.
"""

from __future__ import annotations

import itertools
import json
import random
import selectors
import socket
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .library import Request
from .workers import LOCKED, told

CLIENTS = 50
# One request in so many uploads.
UPLOADS = 20
# Before anything is counted; every process has answered by then.
_WARM = 1.0
_PATIENCE = 120.0


@dataclass
class Found:
    """``times``: seconds of each request begun in the measured time; ``rate``: answers a second within it.

    ``locked``: how many were refused since a database was locked.
    """

    rate: float = 0.0
    locked: int = 0
    times: list[float] = field(default_factory=list)


def connected(path: str) -> socket.socket:
    """A connection to whoever listens there."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(_PATIENCE)
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


class _Client:
    def __init__(self, path: str, tokens: list[str], drawn: random.Random) -> None:
        self._path = path
        self._tokens = itertools.cycle(tokens)
        self._drawn = drawn
        self.ask()

    def ask(self) -> None:
        title = "Concert at the new harbour" if self._drawn.randrange(UPLOADS) == 0 else None
        self.got, self.began = b"", time.perf_counter()
        self.socket = connected(self._path)
        self.socket.sendall(told(Request(next(self._tokens), title)))

    def answered(self) -> bool:
        piece = self.socket.recv(65_536)
        self.got += piece
        if not piece:
            self.socket.close()
        return not piece


def ask(path: str, tokens: list[str], seconds: float, seed: int) -> Found:
    """Let the clients ask for so long; raises :class:`RuntimeError` for an answer that is an error."""
    drawn, found, count = random.Random(seed), Found(), 0
    clients = [_Client(path, tokens[number::CLIENTS], drawn) for number in range(CLIENTS)]
    begin = time.perf_counter() + _WARM
    end = begin + seconds
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client.socket, selectors.EVENT_READ, client)
        while selector.get_map():
            ready = selector.select(_PATIENCE)
            if not ready:
                raise RuntimeError("the server does not answer")
            for key, _ in ready:
                client, descriptor = key.data, key.fd
                if not client.answered():
                    continue
                selector.unregister(descriptor)
                now = time.perf_counter()
                count += begin <= now < end
                if begin <= client.began:
                    found.times.append(now - client.began)
                found.locked += refused(client.got)
                if now < end:
                    client.ask()
                    selector.register(client.socket, selectors.EVENT_READ, client)
    found.rate = count / seconds
    return found


def refused(got: bytes) -> bool:
    """Whether a database was locked; :class:`RuntimeError` for an answer that is another error."""
    status, _, body = got.partition(b"\n")
    if body == LOCKED.body:
        return True
    if status not in {b"200", b"201"}:
        raise RuntimeError(f"expected an answer of 200 or 201, got {got[:300]!r}")
    return False


def main(path: str, tokens: str, seconds: str, seed: str) -> None:
    """Print what was found."""
    asked: list[Any] = json.loads(Path(tokens).read_text(encoding="utf-8"))
    print(json.dumps(asdict(ask(path, asked, float(seconds), int(seed)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
