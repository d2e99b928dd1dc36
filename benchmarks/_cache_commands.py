"""How many commands a piece of work sends to Redis, as the server itself sees them (MONITOR)."""

from __future__ import annotations

import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import redis


class Commands:
    """The names of the commands that clients sent; what a script does on the server is no round trip and not here."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __len__(self) -> int:
        return len(self.names)


@contextmanager
def watched(url: str) -> Iterator[Commands]:
    """Everything that clients send to the server of ``url`` within the block; the server must be nobody else's."""
    place, marker, seen = urlsplit(url), secrets.token_hex(16), Commands()
    with socket.create_connection((place.hostname or "127.0.0.1", place.port or 6379), 10) as connection:
        connection.sendall(b"MONITOR\r\n")
        lines = connection.makefile("rb")
        if lines.readline() != b"+OK\r\n":
            raise RuntimeError("the server does not let itself be monitored")
        # The time-out was for the server; that nobody sends anything may last.
        connection.settimeout(None)
        reader = threading.Thread(target=_read, args=[lines.readline, marker.encode(), seen])
        with redis.Redis.from_url(url) as ender:
            ender.echo("connected")
            reader.start()
            try:
                yield seen
            finally:
                ender.echo(marker)
                reader.join()
    # The first is the ender's own, which must be connected before anything is counted.
    seen.names = seen.names[seen.names.index("ECHO") + 1 :]


def _read(line: Callable[[], bytes], marker: bytes, seen: Commands) -> None:
    while True:
        # +1700000000.123456 [0 127.0.0.1:50000] "MGET" "key", or [0 lua] for what a script does
        told = line()
        if not told or marker in told:
            return
        source, _, command = told.partition(b"] ")
        if not source.endswith(b" lua"):
            seen.names.append(command.split(b'"')[1].decode().upper())
