"""A web process that drains as `postrmagic serve` does, and breaks as its FAULT says: what a deployment has to bear.

FAULT: none; never (not ready), crash (at once), dies (after AFTER seconds of being ready), errors (three of ten
answers), hidden (well by its own health check, unready to the proxy).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

FAULT, RELEASE = os.environ.get("FAULT", "none"), os.environ.get("VERSION", "0")
AFTER, DRAIN = float(os.environ.get("AFTER", "2")), float(os.environ.get("DRAIN", "1.2"))
draining = threading.Event()
served = count()


class Answer(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Readiness, or the release."""
        asks_proxy = self.headers.get("Host") == "proxy"
        if self.path == "/readyz":
            ready = not draining.is_set() and FAULT != "never" and not (FAULT == "hidden" and asks_proxy)
            self._send(200 if ready else 503, b"ready\n" if ready else b"not ready\n")
            return
        broken = FAULT == "errors" and next(served) % 10 < 3
        time.sleep(0.05)
        self._send(500 if broken else 200, RELEASE.encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if draining.is_set():
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing of single requests."""


class Server(ThreadingHTTPServer):
    """Of many at once; who goes away before the answer is no news."""

    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing."""


def main() -> None:
    """Serve until SIGTERM, and for DRAIN seconds more."""
    print(f"release {RELEASE} begins", flush=True)  # noqa: T201 # what is looked for in its log
    if FAULT == "crash":
        sys.exit("it cannot start: the fault of this image")
    server = Server(("0.0.0.0", 8000), Answer)  # noqa: S104 # inside of a container
    server.daemon_threads = False

    def end(*_: object) -> None:
        draining.set()
        threading.Timer(DRAIN, server.shutdown).start()

    signal.signal(signal.SIGTERM, end)
    if FAULT == "dies":
        threading.Timer(AFTER, lambda: os._exit(7)).start()
    server.serve_forever(poll_interval=0.05)
    server.server_close()


if __name__ == "__main__":
    main()
