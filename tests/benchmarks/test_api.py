"""The API's benchmark asks both sides for the same, notices where they differ, and reports what it promises."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
import random
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from benchmarks._harness import Bench, Options
from benchmarks.api import _fastapi_app as plain
from benchmarks.api import alike, client, served
from benchmarks.api.client import Found, Line, Turn
from benchmarks.api.requests import LIST, OPERATIONS, SEARCH, UPLOAD, Requests, searched, unlike
from postrmagic_core.testing import spawn

MEDIUM = {"id": 1, "title": "Jazz", "created_at": "2024-01-01T00:00:00+00:00", "file": "/api/v1/media/1/file"}
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def picture() -> bytes:
    """A small JPEG."""
    written = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(written, "JPEG")
    return written.getvalue()


def test_no_two_searches_are_the_same() -> None:
    """Else a cache would answer, and what is timed would be the cache; each looks for two different words."""
    found = [searched(number) for number in range(5000)]
    assert len(set(found)) == len(found)
    assert all(len({*words.split()[:2]}) == 2 for words in found)
    assert len({words.rpartition(" ")[0] for words in found}) == 1260


def test_no_two_uploads_are_the_same_file() -> None:
    """Their hashes differ, their pictures do not."""
    image = picture()
    first, second = unlike(image, 1), unlike(image, 2)
    assert hashlib.sha256(first).digest() != hashlib.sha256(second).digest()
    assert Image.open(io.BytesIO(first)).tobytes() == Image.open(io.BytesIO(image)).tobytes()
    bodies = [Requests(UPLOAD, "session=x", image).of(number) for number in (1, 2)]
    assert first in bodies[0]
    assert second in bodies[1]


@contextmanager
def answering(*pieces: bytes) -> Iterator[Line]:
    """A connection to a server that answers each request with the next piece, the last one ever after."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                for number in itertools.count():
                    if not connection.recv(65_536):
                        return
                    connection.sendall(pieces[min(number, len(pieces) - 1)])

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        line = Line(0, listener.getsockname()[1])
        with line.socket:
            yield line
    thread.join(10)


def test_a_turn_of_a_number_ends_with_it() -> None:
    """Each answer is timed; the numbers go on where the last turn ended."""
    with answering(OK) as line:
        found = client.ask([line], [Requests(LIST, "session=x", b"")], Turn(0, answers=7))
    assert found.asked == len(found.times) == 7
    assert found.rate > 0


def test_a_turn_of_a_time_counts_only_what_is_answered_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked while the server gets warm is sent and not counted."""
    monkeypatch.setattr(client, "_WARM", 0.05)
    with answering(OK) as line:
        found = client.ask([line], [Requests(LIST, "session=x", b"")], Turn(0, seconds=0.0))
    assert found.asked > 0
    assert found.times == []


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 2\r\n\r\nno",
        b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_an_answer_that_is_an_error_ends_the_run(answer: bytes) -> None:
    """Also in the middle: what is refused is quick, and would count as fast."""
    with answering(OK, answer) as line, pytest.raises(RuntimeError, match="expected an answer of 200 or 201"):
        client.ask([line], [Requests(LIST, "session=x", b"")], Turn(0, answers=7))


def test_sides_that_mean_the_same_are_alike() -> None:
    """An instant may be written in two ways, and cursors are each side's own."""
    ours = alike.meant({"data": [MEDIUM], "next": "abc"})
    alike.compare(LIST, ours, alike.meant({"data": [MEDIUM | {"created_at": "2024-01-01T00:00:00Z"}], "next": "x"}))
    uploaded = alike.meant({"data": MEDIUM | {"id": 2, "created_at": "2025-01-01T00:00:00Z", "file": "/2"}})
    alike.compare(UPLOAD, alike.meant({"data": MEDIUM}), uploaded)


@pytest.mark.parametrize(
    "body",
    [
        {"data": [MEDIUM | {"title": "Rock"}], "next": "abc"},
        {"data": [MEDIUM, MEDIUM], "next": "abc"},
        {"data": [MEDIUM], "next": None},
        {"data": [MEDIUM | {"created_at": "2024-01-01T00:00:01Z"}], "next": "abc"},
    ],
)
def test_sides_that_differ_are_not_measured(body: dict[str, Any]) -> None:
    """Another title, another row, another end, another instant."""
    with pytest.raises(RuntimeError, match="answer list differently"):
        alike.compare(LIST, alike.meant({"data": [MEDIUM], "next": "abc"}), alike.meant(body))


def test_an_upload_that_is_titled_differently_is_not_measured() -> None:
    """Only what each side makes up is left out of the comparison."""
    with pytest.raises(RuntimeError, match="answer upload differently"):
        alike.compare(UPLOAD, alike.meant({"data": MEDIUM}), alike.meant({"data": MEDIUM | {"title": "x"}}))


class Made(served.Served):
    """A side that answers what is made up."""

    def asked(self, operation: str, turn: Turn) -> Found:
        """Our side takes half the time of the other."""
        seconds = 0.001 if self.port == 1 else 0.002
        return Found(rate=1 / seconds, asked=10, cost=1e-5, served=seconds, times=[seconds] * 10)


def test_the_figures_of_an_operation_are_reported() -> None:
    """Rates and times of both sides, and ours over the other's: below 1 is faster."""
    bench = Bench(Options(quick=True))
    sides: dict[str, served.Served] = {"ours": Made(1, Path(), 0), "plain": Made(2, Path(), 0)}
    for operation in OPERATIONS:
        served.told(bench, operation, served.in_turns(bench, sides, operation))
    assert bench.figures["list_time_ratio"] == pytest.approx(0.5)
    assert bench.figures["search_p95_ms"] == pytest.approx(1)
    assert bench.figures["upload_rate.plain"] == pytest.approx(500)
    for operation in OPERATIONS:
        names = {"rate", "rate.plain", "p95_ms", "p95_ms.plain", "time_ratio", "time_ratio.processor", "client_us"}
        assert {f"{operation}_{name}" for name in names} <= bench.figures.keys()


def alone() -> None:
    """Child: in a session where nobody else comes or goes, print what it used before and after some work."""
    os.setsid()
    began, used = time.process_time(), served.processor_seconds(os.getsid(0))
    while time.process_time() < began + 0.1:
        pass
    print(json.dumps([used, served.processor_seconds(os.getsid(0))]))  # noqa: T201 - the child's voice


def test_the_processors_time_is_that_of_one_session() -> None:
    """Nobody else's, and none that is no more."""
    with spawn(alone) as child:
        before, after = json.loads(child.line())
    assert after > before
    assert served.processor_seconds(-1) == 0


def test_a_missing_peer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing is measured without it."""

    def absent() -> None:
        raise ModuleNotFoundError("No module named 'fastapi'", name="fastapi")

    monkeypatch.setattr(served, "_prepared", absent)
    bench = Bench()
    served.compared(bench)
    assert bench.missing == {"FastAPI and SQLAlchemy": "not measured: fastapi is not installed"}
    assert bench.figures == {}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both sides' files, with a few media."""
    from benchmarks.api import prepared

    found = {side: tmp_path_factory.mktemp(side) for side in ("ours", "plain")}
    prepared.prepare(found["ours"], found["plain"], 150)
    return found


@pytest.fixture
def peer(folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """The other side, in this process, on a copy of its files."""
    monkeypatch.setenv("PLAIN_LIBRARY", str(shutil.copytree(folders["plain"], tmp_path / "plain")))
    monkeypatch.setenv("PLAIN_SECRET", "only for this test")
    app = plain.application()
    with TestClient(app) as asking:
        yield asking
    app.state.engine.dispose()


def logged_in(peer: TestClient) -> TestClient:
    """The same client after its login."""
    from benchmarks.api.prepared import ACCOUNT

    assert peer.post("/api/v1/login", json=ACCOUNT).status_code == 204
    return peer


def test_the_other_side_knows_its_users(peer: TestClient) -> None:
    """It would be no comparison with a side that asks nobody who they are."""
    assert peer.get("/api/v1/media").status_code == 401
    assert peer.post("/api/v1/login", json={"name": "user-1", "password": "wrong"}).status_code == 401
    assert peer.post("/api/v1/login", json={"name": "nobody", "password": "wrong"}).status_code == 401
    peer.cookies.set("session", f"1.{10**12}.{'0' * 64}")
    assert peer.get("/api/v1/media").status_code == 401


def test_the_other_side_has_pages_without_gaps(peer: TestClient) -> None:
    """Each medium once, the newest first."""
    asking, seen, after = logged_in(peer), list[dict[str, Any]](), None
    while True:
        page = asking.get("/api/v1/media", params={} if after is None else {"after": after}).json()
        seen += page["data"]
        after = page["next"]
        if after is None:
            break
    ids = [medium["id"] for medium in seen]
    assert len(ids) > plain.PAGE
    assert ids == sorted(set(ids), reverse=True)


def test_the_other_side_looks_at_what_is_uploaded(peer: TestClient) -> None:
    """What is no image is refused, and the same file is there once."""
    asking, image = logged_in(peer), unlike(picture(), random.Random(4).getrandbits(40))
    assert asking.post("/api/v1/media", files={"file": ("a.jpeg", b"no image")}).status_code == 422
    first = asking.post("/api/v1/media", files={"file": ("late-night_jazz.jpeg", image)})
    assert first.status_code == 201
    assert first.json()["data"]["title"] == "late night jazz"
    again = asking.post("/api/v1/media", files={"file": ("b.jpeg", image)})
    assert (again.status_code, again.json()) == (200, first.json())
    found = asking.get("/api/v1/media", params={"q": "late jazz"}).json()["data"]
    assert first.json()["data"]["id"] in [medium["id"] for medium in found]


@pytest.mark.soak
def test_both_sides_answer_the_same(folders: dict[str, Path]) -> None:
    """As served: lists, searches and an upload mean the same, and every client is logged in and answered."""
    from benchmarks.api.prepared import ACCOUNT

    with ExitStack() as opened:
        sides = {side: opened.enter_context(served.running(side, folder, 1)) for side, folder in folders.items()}
        served.log_in(sides, ACCOUNT, clients=3)
        served.same(sides)
        for side in sides.values():
            assert len(json.loads(side.cookies.read_text())) == 3
            for operation in (LIST, SEARCH):
                found = side.asked(operation, Turn(100, answers=30))
                assert found.asked == 30
                assert found.served >= 0
