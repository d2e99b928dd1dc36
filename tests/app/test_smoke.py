"""The whole application in processes of its own, as ``make smoke`` runs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from media_library import smoke
from postrmagic_core.testing.servers import MariaDBServer, RedisServer, require


def steps(shown: str) -> list[str]:
    """The first column of the printed table."""
    cells = [line.split("│")[1].strip() for line in shown.splitlines() if line.startswith("│")]
    return [cell for cell in cells if cell]  # a long outcome takes more than one line


EXPECTED = [
    "log in",
    "issue a token",
    "upload posters",
    "refuse hostile files",
    "wait for thumbnails",
    "wait for details",
    "be told",
    "follow a request",
    "tag and search",
    "count",
    "page through",
    "change what was read",
    "change many",
    "download",
    "sign up",
    "add a second factor",
    "end a device",
    "keep strangers out",
    "delete",
    "revoke the token",
    "log out",
]


@pytest.mark.soak  # the same steps as below; what a fresh machine runs as `make smoke`
def test_every_step_succeeds_on_the_embedded_default(capfd: pytest.CaptureFixture[str]) -> None:
    """With nothing installed beside the package."""
    assert smoke.run("embedded") == 0
    assert steps(capfd.readouterr().out) == EXPECTED


@pytest.mark.soak  # as above; what its steps do is tested by itself on these servers
@pytest.mark.mysql
@pytest.mark.redis
def test_every_step_succeeds_on_mariadb_and_redis(capfd: pytest.CaptureFixture[str]) -> None:
    """The same, with other URLs."""
    require(MariaDBServer.binary(), "no mariadbd")
    require(RedisServer.binary(), "no redis-server or valkey-server")
    assert smoke.run("mysql+redis") == 0
    assert steps(capfd.readouterr().out) == EXPECTED


class _AlwaysFine(BaseHTTPRequestHandler):
    """A site that lets everybody in."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *_: object) -> None:
        """Say nothing."""


def test_a_step_that_goes_wrong_ends_it_and_is_told(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Exit status 1, and the last row says what happened instead."""

    @contextmanager
    def careless(urls: str) -> Iterator[tuple[str, Path]]:
        with ThreadingHTTPServer(("127.0.0.1", 0), _AlwaysFine) as server:
            Thread(target=server.serve_forever).start()
            yield f"http://127.0.0.1:{server.server_port}", tmp_path
            server.shutdown()

    monkeypatch.setattr(smoke, "application", careless)
    assert smoke.run("embedded") == 1
    shown = capfd.readouterr().out
    assert steps(shown) == ["log in"]
    assert "show_me, status 200: expected a JSON document" in shown
