"""The main job, run without a person: start the application, do what a user does and what an attacker tries.

Prints what happened as a table; exit status 0 when everything did what it should.
"""

from __future__ import annotations

import io
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from PIL import Image
from pyotp.totp import TOTP
from rich.console import Console
from rich.table import Table

from .posters import POSTERS, Poster, draw

DEMO = {"name": "demo", "password": "posters-for-everyone"}
KEEPER = {"name": "keeper", "password": "keys-to-every-drawer"}
NEWCOMER = {"name": "newcomer", "password": "seven lanterns over water"}
_LOG = "application.log"
_PATIENCE = 60.0
_EXAMPLES = Path(__file__).parents[1]


class Broken(Exception):
    """A step did not do what it should; the message says what happened instead."""


@dataclass
class Client:
    """One browser, as far as a script needs one: keeps the session cookie, also over plain http on this machine."""

    http: httpx.Client
    cookie: str = ""

    def send(self, method: str, path: str, *expected: int, **options: object) -> httpx.Response:
        """Send a request; another status than ``expected`` is :class:`Broken`."""
        # What browsers say of requests that a page of the site itself makes.
        headers = {"Sec-Fetch-Site": "same-origin"} | ({"Cookie": self.cookie} if self.cookie else {})
        response = self.http.request(method, path, headers=headers, **options)  # type: ignore[arg-type]  # passed on
        cookie = response.headers.get("set-cookie", "").partition(";")[0]
        self.cookie = cookie or self.cookie
        if response.status_code not in expected:
            raise Broken(f"{method} {path}: expected {expected}, got {response.status_code} {response.text[:200]}")
        if response.status_code >= 400 and response.headers["content-type"] != "application/problem+json":
            raise Broken(f"{method} {path}: {response.status_code} is no problem document")
        return response

    def upload(self, name: str, data: bytes, *expected: int, title: str = "") -> httpx.Response:
        """Upload ``data`` as the file ``name``."""
        files = {"file": (name, data, "application/octet-stream")}
        return self.send("POST", "/api/v1/media", *expected, files=files, data={"title": title})

    def media(self, query: str = "") -> list[dict[str, object]]:
        """All media that ``query`` finds, page by page."""
        found, after = [], ""
        while True:
            page = self.send("GET", "/api/v1/media", 200, params={"q": query, "after": after}).json()
            found += page["data"]
            if not page["next"]:
                return found
            after = page["next"]


@dataclass
class Smoke:
    """The steps, in order; each returns what is worth telling."""

    client: Client
    stranger: Client
    newcomer: Client
    elsewhere: Client
    files: Path
    log: Path
    uploaded: dict[str, int] = field(default_factory=dict)
    request_id: str = ""

    def log_in(self) -> str:
        """A wrong password is refused; the right one opens a session with a careful cookie."""
        self.client.send("GET", "/api/v1/me", 401)
        self.client.send("POST", "/api/v1/login", 401, json={**DEMO, "password": "wrong"})
        response = self.client.send("POST", "/api/v1/login", 200, json=DEMO)
        flags = {part.strip().lower() for part in response.headers["set-cookie"].split(";")[1:]}
        _check({"secure", "httponly", "samesite=lax", "path=/"} <= flags, f"careless cookie: {flags}")
        return str(self.client.send("GET", "/api/v1/me", 200).json()["data"]["name"])

    def upload_posters(self) -> str:
        """Real JPEG, PNG and WebP files are taken; the same file again is recognised."""
        for poster in POSTERS:
            answer = self.client.upload(poster.filename, draw(poster), 201, title=poster.title)
            self.uploaded[poster.title] = answer.json()["data"]["id"]
            self.request_id = answer.headers["x-request-id"]
        again = self.client.upload("copy.jpeg", draw(POSTERS[0]), 200).json()["data"]
        _check(again["id"] == self.uploaded[POSTERS[0].title], "the same file became a second medium")
        return f"{len(self.uploaded)} posters, one of them twice"

    def refuse_hostile_files(self) -> str:
        """Each is answered with a problem document and leaves nothing behind."""
        before = len(self.client.media())
        for name, data, why in hostile_files():
            response = self.client.upload(name, data, 400, 413, 422)
            _check(len(response.text) < 1000, f"{why}: the answer repeats the input")
        _check(len(self.client.media()) == before, "a hostile file became a medium")
        _check(not list((self.files / "incoming").iterdir()), "a hostile file stayed on disk")
        return f"{len(hostile_files())} refused"

    def wait_for_thumbnails(self) -> str:
        """Every poster gets its thumbnail from the worker, in WebP or JPEG as the client likes."""
        _wait(lambda: all(item["thumbnail"] for item in self.client.media()), "thumbnails are missing")
        for media_id in self.uploaded.values():
            picture = Image.open(
                io.BytesIO(self.client.send("GET", f"/api/v1/media/{media_id}/thumbnail", 200).content)
            )
            _check((picture.width, picture.format) == (320, "JPEG"), f"odd thumbnail: {picture.size} {picture.format}")
        return f"{len(self.uploaded)} of 320 px"

    def wait_for_details(self) -> str:
        """Every poster's colours and orientation are told, and the figures come to count every poster."""
        _wait(lambda: all(item["colours"] for item in self.client.media()), "colours are missing")
        turned = {item["orientation"] for item in self.client.media()}
        _check(turned == {"portrait"}, f"odd posters: {turned}")
        _wait(lambda: self._counted() == len(self.uploaded), "the figures do not count every poster")
        stats = self.client.send("GET", "/api/v1/stats", 200).json()["data"]
        uploads = [month["uploads"] for month in stats["activity"]]
        _check(len(uploads) == 12 and sum(uploads) == len(self.uploaded), f"odd months: {uploads}")
        return f"{stats['colours'][0]['colour']} most often, {sum(uploads)} uploads in a year"

    def _counted(self) -> int:
        types = self.client.send("GET", "/api/v1/stats", 200).json()["data"]["types"]
        return sum(kind["count"] for kind in types or [])

    def be_told(self) -> str:
        """Every poster that became ready is told, and what was seen is not new any more."""
        _wait(lambda: self._told().get("amount") == len(self.uploaded), "not every poster is told to be ready")
        line = self._told()
        self.client.send("POST", "/api/v1/notifications/read", 204, json={"until": line["changed_at"]})
        _check(self._told()["read"] is True, "what was seen is still new")
        return str(line["message"])

    def _told(self) -> dict[str, object]:
        lines: list[dict[str, object]] = self.client.send("GET", "/api/v1/notifications", 200).json()["data"]
        return next((line for line in lines if line["kind"] == "posters_ready"), {})

    def follow_a_request(self) -> str:
        """What the worker did for an upload is found in the log under that request's id."""
        wanted = {"request", "thumbnails made", "details extracted"}
        _wait(lambda: wanted <= self._logged(), f"{self.request_id} is not in the log of {wanted}")
        return f"{len(wanted)} records of one request"

    def _logged(self) -> set[str]:
        records = (json.loads(line) for line in self.log.read_text().splitlines())
        return {record["event"] for record in records if record.get("request_id") == self.request_id}

    def tag_and_search(self) -> str:
        """Words, beginnings, exclusions and tags find what they should; other people's tags and hyphens do no harm."""
        for poster in POSTERS:
            body = {"tags": list(poster.tags)}
            self.client.send("PATCH", f"/api/v1/media/{self.uploaded[poster.title]}", 200, json=body)
        cases: dict[str, Callable[[Poster], bool]] = {
            "market": lambda poster: "Market" in poster.title,
            "MARKET -flea": lambda poster: poster.title == "Street Food Market",
            "cont*": lambda poster: poster.title == "Contemporary Dance",
            "repair cafe": lambda poster: poster.title == "Repair Café",
            "the of": lambda poster: poster.title == "Night of the Long Films",
            "tag:night": lambda poster: "night" in poster.tags,
            "tag:outdoor -tag:music": lambda poster: "outdoor" in poster.tags and "music" not in poster.tags,
            "at": lambda poster: poster.title == "Jazz at Dusk",
            "') OR 1=1 --": lambda poster: False,
        }
        for query, wanted in cases.items():
            expected = {poster.title for poster in POSTERS if wanted(poster)}
            found = {str(item["title"]) for item in self.client.media(query)}
            if query == "the of":
                expected = {"Night of the Long Films"}
            _check(found == expected, f"{query!r} found {sorted(found)} instead of {sorted(expected)}")
        return f"{len(cases)} queries"

    def count(self) -> str:
        """The statistics follow every change at once."""
        stats = self.client.send("GET", "/api/v1/stats", 200).json()["data"]
        _check(stats["media"] == len(self.uploaded), f"{stats['media']} media counted")
        names = [tag["name"] for tag in stats["tags"]]
        _check(names[0] == "outdoor", f"most used tag is {names[0]}")
        return f"{stats['media']} media, {stats['bytes'] // 1024} KiB, {len(names)} tags"

    def sign_up(self) -> str:
        """A password that is too easy is refused; a new account begins with an empty library and no other rights."""
        easy = self.newcomer.send("POST", "/api/v1/signup", 422, json={"name": "newcomer", "password": "short"}).json()
        _check(easy["errors"][0]["pointer"] == "/password", f"told of {easy['errors'][0]}")
        who = self.newcomer.send("POST", "/api/v1/signup", 201, json=NEWCOMER).json()["data"]
        _check(who["roles"] == ["user"] and self.newcomer.media() == [], f"a new account has {who}")
        self.newcomer.send("GET", "/api/v1/admin/users", 403)
        return f"{who['name']} is a {who['roles'][0]}"

    def add_a_second_factor(self) -> str:
        """Enrolled by its first code; from then on the password alone opens nothing, and no code works twice."""
        password = {"password": NEWCOMER["password"]}
        shown = self.newcomer.send("POST", "/api/v1/account/factor", 201, json=password).json()["data"]
        app = TOTP(shown["secret"].replace(" ", ""))
        # The code before the present one still counts: so the present one is left for the login.
        first, second = _two_codes(app)
        codes = self.newcomer.send("POST", "/api/v1/account/factor/confirm", 200, json={"code": first}).json()["data"]
        self.newcomer.send("POST", "/api/v1/logout", 204)
        step = self.newcomer.send("POST", "/api/v1/login", 200, json=NEWCOMER).json()["data"]
        _check(step["second_factor"] == "required", "the password was enough")
        self.newcomer.send("GET", "/api/v1/media", 401)
        self.newcomer.send("POST", "/api/v1/login/second-factor", 401, json={"code": first})
        self.newcomer.send("POST", "/api/v1/login/second-factor", 200, json={"code": second})
        self.elsewhere.send("POST", "/api/v1/login", 200, json=NEWCOMER)
        spare = {"recovery_code": codes["recovery_codes"][0]}
        self.elsewhere.send("POST", "/api/v1/login/second-factor", 200, json=spare)
        return f"one login by code, one by recovery code of {len(codes['recovery_codes'])}"

    def end_a_device(self) -> str:
        """Both sessions are listed; the other one is ended and out at once."""
        devices = self.newcomer.send("GET", "/api/v1/account/devices", 200).json()["data"]
        others = [device for device in devices if not device["current"]]
        _check(len(devices) == 2 and len(others) == 1, f"{len(devices)} devices, {len(others)} others")
        self.elsewhere.send("GET", "/api/v1/me", 200)
        self.newcomer.send("DELETE", f"/api/v1/account/devices/{others[0]['id']}", 204)
        self.elsewhere.send("GET", "/api/v1/me", 401)
        self.newcomer.send("GET", "/api/v1/me", 200)
        return f"one of {len(devices)}"

    def keep_strangers_out(self) -> str:
        """Another user sees none of it, by list, by id or by file."""
        self.stranger.send("POST", "/api/v1/login", 200, json={**DEMO, "name": "guest"})
        _check(self.stranger.media() == [], "a stranger sees media")
        one = f"/api/v1/media/{self.uploaded[POSTERS[0].title]}"
        for method, path in (("GET", one), ("GET", one + "/file"), ("GET", one + "/thumbnail"), ("DELETE", one)):
            self.stranger.send(method, path, 404)
        self.stranger.send("PATCH", one, 404, json={"title": "mine"})
        return "404 everywhere"

    def delete(self) -> str:
        """A deleted medium is gone from lists, counts and disk."""
        title, media_id = self.uploaded.popitem()
        size = len(self.client.send("GET", f"/api/v1/media/{media_id}/file", 200).content)
        files = len(_stored(self.files))
        self.client.send("DELETE", f"/api/v1/media/{media_id}", 204)
        self.client.send("GET", f"/api/v1/media/{media_id}", 404)
        _check(title not in {item["title"] for item in self.client.media()}, "it is still listed")
        _wait(lambda: len(_stored(self.files)) == files - 1, "its file is still there")
        return f"{title}, {size // 1024} KiB"

    def log_out(self) -> str:
        """The old cookie is worth nothing afterwards."""
        cookie = self.client.cookie
        self.client.send("POST", "/api/v1/logout", 204)
        self.client.cookie = cookie
        self.client.send("GET", "/api/v1/me", 401)
        return "old cookie refused"

    def steps(self) -> list[Callable[[], str]]:
        """All of them, in order."""
        return [
            self.log_in,
            self.upload_posters,
            self.refuse_hostile_files,
            self.wait_for_thumbnails,
            self.wait_for_details,
            self.be_told,
            self.follow_a_request,
            self.tag_and_search,
            self.count,
            self.sign_up,
            self.add_a_second_factor,
            self.end_a_device,
            self.keep_strangers_out,
            self.delete,
            self.log_out,
        ]


def hostile_files() -> list[tuple[str, bytes, str]]:
    """Name, content and what is wrong, for every kind of file that must be refused."""
    good = draw(POSTERS[0])
    script = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    return [
        ("poster.jpg", b"#!/bin/sh\necho no image\n" * 50, "wrong magic"),
        ("bomb.png", png_header(60_000, 60_000), "decompression bomb"),
        ("empty.png", b"", "0 bytes"),
        ("../../etc/cron.d/poster.jpg", good, "path in the name"),
        ("cut.jpg", good[: len(good) // 2], "truncated"),
        ("n" * 10_000 + ".jpg", good, "10,000-character name"),
        ("drawing.svg", script, "SVG with script"),
        ("drawing.png", script, "SVG under another name"),
        ("big.jpg", good + bytes(21 * 1024 * 1024), "too large"),
    ]


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims to be huge and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def run(urls: str) -> int:
    """Run every step against the backends named in ``urls`` (``embedded`` or ``mysql+redis``); the exit status."""
    console = Console()
    table = Table("step", "what happened", "ms", title=f"media library on {urls}")
    with ExitStack() as resources:
        address, directory = resources.enter_context(application(urls))
        clients = [Client(resources.enter_context(httpx.Client(base_url=address, timeout=30))) for _ in range(4)]
        first, second, third, fourth = clients
        for step in Smoke(first, second, third, fourth, directory / "media", directory / _LOG).steps():
            started = time.monotonic()
            try:
                outcome, colour = step(), "green"
            except Broken as error:
                outcome, colour = str(error), "red"
            elapsed = f"{(time.monotonic() - started) * 1000:.0f}"
            table.add_row(step.__name__.replace("_", " "), f"[{colour}]{outcome}[/{colour}]", elapsed)
            if colour == "red":
                console.print(table)
                if (directory / _LOG).exists():
                    print((directory / _LOG).read_text(errors="replace")[-4000:])
                return 1
    console.print(table)
    return 0


@contextmanager
def application(urls: str) -> Iterator[tuple[str, Path]]:
    """The application in processes of its own: its address and its data directory, gone afterwards."""
    with ExitStack() as resources:
        directory = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="media-library-")))
        places = {"POSTRMAGIC_STACK__DATA_DIR": str(directory), "POSTRMAGIC_LOG__FILE": str(directory / _LOG)}
        environment = os.environ | _backends(urls, resources) | places
        subprocess.run(
            [sys.executable, "-m", "media_library", "prepare", "--guest"],
            env=environment,
            cwd=_EXAMPLES,
            check=True,
        )
        port = _free_port()
        command = [sys.executable, "-m", "media_library", "serve", "--port", str(port)]
        process = subprocess.Popen(command, env=environment, cwd=_EXAMPLES)  # noqa: S603 - a command of our own
        resources.callback(_end, process)
        address = f"http://127.0.0.1:{port}"
        _wait_until_up(address, process)
        yield address, directory


def _backends(urls: str, resources: ExitStack) -> dict[str, str]:
    if urls == "embedded":
        return {}
    if urls != "mysql+redis":
        raise SystemExit(f"expected URLS=embedded or URLS=mysql+redis, got {urls}")
    from postrmagic_core.testing.servers import MariaDBServer, RedisServer

    mariadb = resources.enter_context(MariaDBServer())
    redis = resources.enter_context(RedisServer(appendonly="everysec"))
    return {
        "POSTRMAGIC_DATABASE__URL": mariadb.create_database(),
        "POSTRMAGIC_CACHE__URL": redis.create_database(),
        "POSTRMAGIC_SESSIONS__URL": redis.create_database(),
        "POSTRMAGIC_JOBS__URL": redis.create_database(),
    }


def _wait_until_up(address: str, process: subprocess.Popen[bytes]) -> None:
    started = time.monotonic()
    while True:
        if process.poll() is not None:
            raise SystemExit(f"the application ended with status {process.returncode} before it answered")
        try:
            if httpx.get(address + "/health", timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        if time.monotonic() - started > _PATIENCE:
            raise SystemExit("the application did not answer")
        time.sleep(0.05)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _two_codes(app: TOTP) -> tuple[str, str]:
    """The code before the present one and the present one, with a few seconds left to use both."""
    while time.time() % app.interval > app.interval - 5:
        time.sleep(0.2)
    now = int(time.time())
    return app.at(now - app.interval), app.at(now)


def _stored(files: Path) -> list[Path]:
    return [path for path in (files / "blobs").rglob("*") if path.is_file()]


def _wait(until: Callable[[], bool], otherwise: str) -> None:
    started = time.monotonic()
    while not until():
        _check(time.monotonic() - started < _PATIENCE, otherwise)
        time.sleep(0.05)


def _check(fine: bool, otherwise: str) -> None:
    if not fine:
        raise Broken(otherwise)
