"""What it costs the media library that somebody watches its dashboard: requests a second, watched and not, in turns."""

from __future__ import annotations

import http.client
import statistics
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from ._harness import Bench
from ._middleware_served import UVICORN, asked, environment, library, logged_in, running

PAGES: Final = ("", "requests", "logs")


def dashboard_open(bench: Bench) -> None:
    """``dashboard_open_rate_ratio``: with three pages open and live, over none; one server process."""
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="watched-")))
        around = environment(folder)
        library("prepare", around, "--keeper")
        library("seed", around)
        port = opened.enter_context(running(UVICORN, folder / "server.log", around))
        cookie, keeper = logged_in(port), logged_in(port, "KEEPER")
        seconds = bench.options.duration or (0.5 if bench.options.quick else 1.0)
        pairs = []
        for number in range(bench.repeats(30, 3) + 1):
            rates = {}
            for watched in (True, False) if number % 2 else (False, True):
                with watching(port, keeper if watched else None):
                    rates[watched] = asked(port, cookie, seconds)[0]
            if number:  # the first round is not kept
                pairs.append(rates[True] / rates[False])
        bench.figure("dashboard_open_rate_ratio", statistics.median(pairs))


@contextmanager
def watching(port: int, cookie: str | None) -> Iterator[None]:
    """Somebody with this cookie has :data:`PAGES` open, and hears what is new; ``None``: nobody."""
    with ExitStack() as opened:
        for page in PAGES if cookie is not None else ():
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30.0)
            connection.request("GET", f"/observability/live/{page}", headers={"Cookie": cookie or ""})
            answer = connection.getresponse()
            if answer.status != 200:
                raise RuntimeError(f"the dashboard answered {answer.status}")
            listener = threading.Thread(target=_hear, args=(answer,), daemon=True)
            listener.start()
            opened.callback(connection.close)
        yield


def _hear(answer: http.client.HTTPResponse) -> None:
    with suppress(OSError, http.client.HTTPException, ValueError, AttributeError):  # closed meanwhile
        while answer.read1():
            pass
