"""A URL of a user, and a server on this machine to fetch from."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

from postrmagic_core.validation.destinations import Destinations
from postrmagic_core.validation.fetch import Fetcher
from tests.docs.playing import Page


class Answer(BaseHTTPRequestHandler):
    """Always the same."""

    def do_GET(self) -> None:
        """A picture."""
        self.send_response(200)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"png")

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def play(page: Page) -> None:
    """An address inside is refused by what the page makes, and reached by what may."""
    page.names["url"] = "https://127.0.0.1/latest/meta-data"
    shown = page.run(2)
    assert shown["new_import"].validate({"source": "HTTPS://Example.org:443/a/../poster.png"}).source == (
        "https://example.org/poster.png"
    )
    assert "answer" not in shown
    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        inside = Destinations(schemes=("http",), ports=(server.server_port,), networks=("127.0.0.1/32",))
        page.names.update(fetcher=Fetcher(inside), url=f"http://127.0.0.1:{server.server_port}/poster.png")
        shown = page.run(1)
        server.shutdown()
        thread.join()
    assert (shown["answer"].status, shown["answer"].body) == (200, b"png")
    page.run()
