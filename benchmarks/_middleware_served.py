"""How many requests a second the media library answers under uvicorn and granian, each in one server process.

The embedded default with the whole pipeline and its log in a file: somebody who is logged in lists media over 16
connections that stay open. The client is a process of its own, of plain sockets: ``app_client_us`` is what it costs a
request, for comparison with what is left of a core.
"""

from __future__ import annotations

import http.client
import importlib
import json
import os
import re
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from postrmagic_core.testing._children import until_listening
from postrmagic_core.testing.servers import free_port

from ._harness import Bench

CONNECTIONS = 16
_ROOT = Path(__file__).parents[1]
_PATIENCE = 60.0
_PATH = "/api/v1/media"
_LENGTH = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)
UVICORN = ["uvicorn", "--no-server-header", "--no-access-log", "--no-proxy-headers", "--log-level", "warning"]
_GRANIAN = ["granian", "--interface", "asgi", "--workers", "1", "--no-access-log", "--log-level", "warning"]


def served(bench: Bench) -> None:
    """``app_rate.uvicorn``, ``app_rate.granian`` and ``app_client_us``."""
    servers = {"uvicorn": UVICORN}
    if bench.peer("granian", partial(importlib.import_module, "granian")) is not None:
        servers["granian"] = _GRANIAN
    rates: dict[str, list[float]] = {name: [] for name in servers}
    costs = []
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="served-")))
        around = environment(folder)
        for command in ("prepare", "seed"):
            library(command, around)
        ports = {
            name: opened.enter_context(running(command, folder / f"{name}.log", around))
            for name, command in servers.items()
        }
        cookie = logged_in(ports["uvicorn"])
        # In turns, after a round that is not kept.
        for number in range(bench.repeats(8, 2) + 1):
            for name, port in ports.items():
                rate, cost = asked(port, cookie, bench.options.duration or (0.5 if bench.options.quick else 3.0))
                if number > 0:
                    rates[name].append(rate)
                    costs.append(cost)
    for name, found in rates.items():
        bench.figure(f"app_rate.{name}", statistics.median(found))
    bench.figure("app_client_us", statistics.median(costs) * 1e6)


def environment(folder: Path) -> dict[str, str]:
    """Of the media library in ``folder``, with the log in a file; nothing of this process's own settings."""
    around = {name: value for name, value in os.environ.items() if not name.startswith("POSTRMAGIC_")}
    return around | {
        "PYTHONPATH": str(_ROOT / "examples"),
        "POSTRMAGIC_STACK__DATA_DIR": str(folder),
        "POSTRMAGIC_LOG__FILE": str(folder / "application.log"),
    }


def library(command: str, environment: dict[str, str], *options: str) -> None:
    """Run a command of the media library's to its end."""
    argv = [sys.executable, "-m", "media_library", command, *options]
    subprocess.run(argv, env=environment, check=True, stdout=subprocess.DEVNULL)


@contextmanager
def running(
    command: list[str], log: Path, environment: dict[str, str], app: str = "media_library.asgi:app"
) -> Iterator[int]:
    """The port of a server with this command line."""
    port = free_port()
    module, *options = command
    argv = [sys.executable, "-m", module, app, "--port", str(port), *options]
    with log.open("wb") as output:
        process = subprocess.Popen(argv, env=environment, stdout=output, stderr=output)
        try:
            until_listening(process, port, log, _PATIENCE)
            yield port
        finally:
            process.terminate()
            process.wait(_PATIENCE)


def logged_in(port: int, account: str = "DEMO") -> str:
    """The cookie of a session, which every server here knows; ``KEEPER`` is an administrator's account."""
    sys.path.insert(0, str(_ROOT / "examples"))
    try:
        from media_library import seed
    finally:
        sys.path.pop(0)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    headers = {"Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"}
    connection.request("POST", "/api/v1/login", json.dumps(getattr(seed, account)), headers)
    answer = connection.getresponse()
    if answer.status != 200:
        raise RuntimeError(f"the login was answered {answer.status}")
    cookie = answer.headers["set-cookie"].partition(";")[0]
    connection.close()
    return cookie


def asked(port: int, cookie: str, seconds: float) -> tuple[float, float]:
    """Requests a second, and the client's own seconds of processor for each; longer where nobody was answered."""
    longest = max(seconds, _PATIENCE)
    while seconds <= longest:
        argv = [sys.executable, "-m", "benchmarks._middleware_served", str(port), cookie, str(seconds)]
        output = subprocess.run(argv, cwd=_ROOT, check=True, stdout=subprocess.PIPE).stdout
        rate, cost = json.loads(output)
        if rate:
            return float(rate), float(cost)
        seconds *= 4
    raise RuntimeError(f"nobody was answered in {seconds / 4:g} s")


class _Line:
    """One connection: a request under way, and what has come of its response."""

    def __init__(self, port: int, request: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), _PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = request
        self._got = b""

    def ask(self) -> None:
        """Send the request."""
        self._got = b""
        self.socket.sendall(self._request)

    def answered(self) -> bool:
        """Take what has come; whether that is the whole response. Raises :class:`RuntimeError` unless it is 200."""
        piece = self.socket.recv(262_144)
        self._got += piece
        head, blank, body = self._got.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not piece or not head.startswith(b"HTTP/1.1 200"[: len(head)]) or (blank and length is None):
            raise RuntimeError(f"expected a response of 200 with a length, got {self._got[:200]!r}")
        return bool(blank) and length is not None and len(body) >= int(length[1])


def ask(port: int, cookie: str, seconds: float) -> tuple[float, float]:
    """The client: lists media over all connections for so long; see :func:`asked`."""
    request = f"GET {_PATH} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: application/json\r\nCookie: {cookie}\r\n\r\n"
    lines = [_Line(port, request.encode()) for _ in range(CONNECTIONS)]
    count = 0
    with selectors.DefaultSelector() as selector:
        for line in lines:
            selector.register(line.socket, selectors.EVENT_READ, line)
            line.ask()
        begun, used = time.perf_counter(), time.process_time()
        end = begun + seconds
        while time.perf_counter() < end:
            for key, _ in selector.select(_PATIENCE):
                if key.data.answered():
                    count += 1
                    key.data.ask()
        elapsed, cost = time.perf_counter() - begun, time.process_time() - used
    for line in lines:
        line.socket.close()
    return count / elapsed, cost / max(count, 1)


if __name__ == "__main__":
    print(json.dumps(ask(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]))))
