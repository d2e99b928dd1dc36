"""Load on the application, from a process of its own, with an account of each request.

A constant number of clients, each with a connection that it keeps, ask one request after the other: lists, media, files
and thumbnails, and now and then a change with a key that makes its repetition harmless, or an upload. Nothing is
repeated: what fails has failed.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import random
import secrets
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import quantiles
from typing import Self
from urllib.parse import urlsplit

from PIL import Image

from tests.containers.engine import ROOT

PATIENCE = 15.0
Ask = tuple[str, str, bytes | None, dict[str, str]]


@dataclass(frozen=True)
class Request:
    """One that was answered or not. ``began``, ``took``: seconds; ``status`` 0: no answer, and ``error`` says why."""

    began: float
    took: float
    method: str
    path: str
    status: int
    error: str = ""

    @property
    def failed(self) -> bool:
        """No answer, or one that tells of an error of the server."""
        return self.status == 0 or self.status >= 500

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        return self.method == "GET"


@dataclass
class Account:
    """Every request of a load."""

    requests: list[Request] = field(default_factory=list)

    def failed(self) -> list[Request]:
        """Those that failed."""
        return [request for request in self.requests if request.failed]

    def refused(self) -> list[Request]:
        """Those that the application would not carry out: none, unless the load itself is wrong."""
        return [request for request in self.requests if 400 <= request.status < 500]

    def between(self, start: float, end: float) -> Account:
        """Those that began then, by ``time.time()``."""
        return Account([request for request in self.requests if start <= request.began < end])

    def rate(self, seconds: float) -> float:
        """Answers a second, of those that did not fail."""
        return sum(not request.failed for request in self.requests) / seconds

    def latency(self, percent: int) -> float:
        """Seconds that so many percent of the answers took at most."""
        took = [request.took for request in self.requests if not request.failed]
        return quantiles(took, n=100, method="inclusive")[percent - 1] if len(took) > 1 else 0.0

    def told(self) -> str:
        """Counts, and what failed."""
        wrong = self.failed() + self.refused()
        kinds = Counter(f"{one.method} {one.status or one.error}" for one in wrong)
        if wrong:
            first, last = min(one.began for one in wrong), max(one.began for one in wrong)
            kinds[f"between {_clock(first)} and {_clock(last)}"] = len(wrong)
        return f"{len(self.requests)} requests, {len(self.failed())} failed" + "".join(
            f"; {count} {kind}" for kind, count in kinds.most_common(8)
        )


@contextmanager
def load(address: str, *, clients: int = 8, writes: float = 0.1, uploads: float = 0.0, token: str) -> Iterator[Account]:
    """Run it in a process of its own from here to the end of the block; then the account is filled in."""
    command = [sys.executable, "-m", "tests.containers.load", address]
    command += [f"--clients={clients}", f"--writes={writes}", f"--uploads={uploads}"]
    account = Account()
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(token + "\n")
        process.stdin.flush()
        ready = process.stdout.readline()
        assert ready == "ready\n", f"the load does not start: {ready!r}"
        try:
            yield account
        finally:
            process.stdin.close()
            account.requests += [Request(**json.loads(line)) for line in process.stdout]
            process.wait(60)


def logged_in(address: str, name: str, password: str) -> str:
    """A token for the load, as the user gets one: logged in, by the password."""
    with Caller(address) as caller:
        status, headers, _ = caller.json("POST", "/api/v1/login", {"name": name, "password": password}, {})
    assert status == 200, f"login: {status}"
    cookies = "; ".join(value.split(";")[0] for key, value in headers if key.lower() == "set-cookie")
    wanted = ["media:create", "media:read:own", "media:edit:own", "media:delete:own"]
    wish = {"name": "load", "password": password, "permissions": wanted, "days": 1}
    with Caller(address) as caller:
        status, _, body = caller.json("POST", "/api/v1/tokens", wish, {"Cookie": cookies})
    assert status == 201, f"token: {status} {body!r}"
    return str(json.loads(body)["data"]["token"])


def asked(address: str, path: str, token: str | None = None) -> int:
    """The status of one GET."""
    with Caller(address) as caller:
        own = {} if token is None else {"Authorization": f"Bearer {token}"}
        return caller.ask("GET", path, None, own)[0]


class Caller:
    """A client with one connection, which it keeps for as long as the server does."""

    def __init__(self, address: str, timeout: float = PATIENCE) -> None:
        place = urlsplit(address)
        self._connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=timeout)

    def ask(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Status, headers and body of the answer."""
        try:
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def json(
        self, method: str, path: str, data: object, headers: dict[str, str]
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Send JSON, as a page of the application does."""
        own = {"Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"}
        return self.ask(method, path, json.dumps(data).encode(), own | headers)


class _Client(threading.Thread):
    def __init__(self, address: str, choose: Callable[[], Ask], stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.requests: list[Request] = []
        self._address, self._choose, self._stop_asked = address, choose, stop

    def run(self) -> None:
        with Caller(self._address) as caller:
            self._ask(caller)

    def _ask(self, caller: Caller) -> None:
        while not self._stop_asked.is_set():
            method, path, body, headers = self._choose()
            began, clock = time.time(), time.perf_counter()
            status, error = 0, ""
            try:
                status, _, _ = caller.ask(method, path, body, headers)
            except (OSError, http.client.HTTPException) as problem:
                error = type(problem).__name__
            took = time.perf_counter() - clock
            self.requests.append(Request(began, took, method, path.partition("?")[0], status, error))
            if status == 0:
                time.sleep(0.05)


@dataclass(frozen=True)
class Choice:
    """What a client asks next."""

    token: str
    media: list[int]
    writes: float
    uploads: float
    rng: random.Random

    def __call__(self) -> Ask:
        """Method, path, body and headers."""
        own = {"Authorization": f"Bearer {self.token}"}
        drawn = self.rng.random()
        if drawn < self.uploads:
            body, kind = form(picture(self.rng))
            return "POST", "/api/v1/media", body, own | {"Content-Type": kind, "Idempotency-Key": secrets.token_hex(16)}
        medium = self.rng.choice(self.media)
        if drawn < self.uploads + self.writes:
            tags = [f"tag{self.rng.randrange(20)}", f"tag{self.rng.randrange(20)}x"]
            headers = {"Content-Type": "application/json", "Idempotency-Key": secrets.token_hex(16)}
            return "PATCH", f"/api/v1/media/{medium}", json.dumps({"tags": tags}).encode(), own | headers
        paths = [
            "/api/v1/media?limit=10",
            "/api/v1/media?sort=title&limit=10",
            f"/api/v1/media/{medium}",
            "/api/v1/tags",
        ]
        return "GET", self.rng.choice([*paths, f"/api/v1/media/{medium}/file"]), None, own


def picture(rng: random.Random, size: tuple[int, int] = (240, 360)) -> bytes:
    """A PNG like no other."""
    image = Image.frombytes("RGB", (24, 36), rng.randbytes(24 * 36 * 3)).resize(size)
    held = io.BytesIO()
    image.save(held, "PNG")
    return held.getvalue()


def form(data: bytes) -> tuple[bytes, str]:
    """A file as the body of a form, and its content type."""
    boundary = secrets.token_hex(16)
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{boundary[:8]}.png"\r\n'
    body = head.encode() + b"Content-Type: image/png\r\n\r\n" + data + f"\r\n--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"


def uploaded(address: str, token: str, count: int, size: tuple[int, int] = (240, 360)) -> list[int]:
    """The ids of so many new media."""
    own, rng, made = {"Authorization": f"Bearer {token}"}, random.Random(), []
    with Caller(address, 60) as caller:
        for _ in range(count):
            body, kind = form(picture(rng, size))
            status, _, answer = caller.ask("POST", "/api/v1/media", body, own | {"Content-Type": kind})
            assert status in {200, 201}, f"upload: {status} {answer[:300]!r}"
            made.append(int(json.loads(answer)["data"]["id"]))
    return made


def _known(address: str, token: str) -> list[int]:
    with Caller(address) as caller:
        status, _, body = caller.ask("GET", "/api/v1/media?limit=50", None, {"Authorization": f"Bearer {token}"})
    assert status == 200, f"list: {status}"
    return [int(item["id"]) for item in json.loads(body)["data"]]


def _clock(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%H:%M:%S.%f")[:-3]


def _lines(requests: Iterable[Request]) -> Iterator[str]:
    return (json.dumps(request.__dict__) + "\n" for request in requests)


def main() -> None:
    """Ask until standard input ends; its first line is the token, which no list of processes is to show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--writes", type=float, default=0.1, help="share of changes")
    parser.add_argument("--uploads", type=float, default=0.0, help="share of uploads")
    options = parser.parse_args()
    token, stop = sys.stdin.readline().strip(), threading.Event()
    media = _known(options.address, token)
    clients = [
        _Client(options.address, Choice(token, media, options.writes, options.uploads, random.Random(number)), stop)
        for number in range(options.clients)
    ]
    for client in clients:
        client.start()
    print("ready", flush=True)  # noqa: T201 # what the parent waits for
    sys.stdin.read()
    stop.set()
    for client in clients:
        client.join(PATIENCE + 5)
    requests = sorted((one for client in clients for one in client.requests), key=lambda one: one.began)
    sys.stdout.writelines(_lines(requests))


if __name__ == "__main__":
    main()
