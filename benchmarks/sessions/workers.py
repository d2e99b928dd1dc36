"""Processes that serve one side of the application: each takes a connection, answers one request, and takes the next.

So PHP works, and both sides are served so: a request goes to whichever process is free, over a new connection. Run by
``served``: ``python -m benchmarks.sessions.workers SIDE FOLDER DESCRIPTOR PROCESSES``, which ends the whole group.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from postrmagic_core.errors import Conflict

from .kept import Kept, KeptByCore
from .library import Request, Response, Side
from .original import Original

SIDES: dict[str, Callable[[Path], Side]] = {
    "original": Original,
    "original_wal": Original,
    "ours": Kept,
    "ours_core": KeptByCore,
}
LOCKED = Response(503, b"database is locked")


def told(request: Request) -> bytes:
    """What a client sends: one line."""
    return json.dumps([request.token, request.title]).encode() + b"\n"


def serve(side: Side, listener: socket.socket) -> None:
    """Answer until the process is ended."""
    while True:
        connection, _ = listener.accept()
        with connection:
            line = connection.makefile("rb").readline()
            answer = answered(side, line)
            with suppress(ConnectionError):
                connection.sendall(b"%d\n%b" % (answer.status, answer.body))


def answered(side: Side, line: bytes) -> Response:
    """The side's response; where its database was locked, :data:`LOCKED`, and for another error a 500 that tells it."""
    try:
        return side.answer(Request(*json.loads(line)))
    except Exception as error:
        return LOCKED if is_locked(error) else Response(500, repr(error).encode())


def is_locked(error: BaseException | None) -> bool:
    """Whether ``error`` is SQLite's "database is locked", or our way to say that waiting for a lock took too long."""
    while error is not None:
        if isinstance(error, Conflict) or "database is locked" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def main(name: str, folder: str, descriptor: str, processes: str) -> None:
    """Serve in so many processes; each says ``ready`` when it is."""
    listener = socket.socket(fileno=int(descriptor))
    # Before anything is opened: what has threads or connections does not survive it.
    any(os.fork() == 0 for _ in range(int(processes) - 1))
    side = SIDES[name](Path(folder))
    os.write(1, b"ready\n")
    serve(side, listener)


if __name__ == "__main__":
    main(*sys.argv[1:])
