"""The media library before and after a move: processes of its own, a user's life in it, and what it answers."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from pyotp.totp import TOTP

from media_library import search
from media_library.application import Application, assemble
from media_library.client import ApiError, UnexpectedAnswer
from media_library.generate import generate
from media_library.listings import MEDIA as LIST
from media_library.posters import POSTERS, draw
from media_library.seed import KEEPER, prepare
from media_library.smoke import Broken, Browser, Smoke
from postrmagic_core.settings import Settings
from postrmagic_core.stack import Stack
from postrmagic_core.testing._children import launch_server, until_listening
from postrmagic_core.testing.servers import free_port

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples"
PATIENCE = 60.0
# Owns half of all generated media.
_USER = 1
_SEARCHES = ("", "tag:tag-0", "jazz", "jazz tag:tag-3", "-jazz", "sum*", "poster")
_ASKED = ("media?limit=100", "media?limit=100&sort=title", "media?q=market", "media?q=rep*", "tags", "stats")
_LOG = "application.log"


@dataclass(frozen=True)
class Site:
    """Where the library lives: the folder of its files, and its database, by default a SQLite file there."""

    directory: Path
    url: str = ""

    @property
    def source(self) -> Path:
        """The SQLite file."""
        return self.directory / "app.db"

    @property
    def environment(self) -> dict[str, str]:
        """What its processes are told; whatever else this process is told of postrmagic does not reach them."""
        around = {name: value for name, value in os.environ.items() if not name.startswith("POSTRMAGIC_")}
        places = {
            "POSTRMAGIC_STACK__DATA_DIR": str(self.directory),
            "POSTRMAGIC_LOG__FILE": str(self.directory / _LOG),
        }
        return around | places | ({"POSTRMAGIC_DATABASE__URL": self.url} if self.url else {})

    def assembled(self) -> Application:
        """The application in this process, not open."""
        database = {"database": {"url": self.url}} if self.url else {}
        return assemble(Stack(Settings(stack={"data_dir": self.directory}, log={"level": "ERROR"}, **database)))

    @contextmanager
    def served(self) -> Iterator[str]:
        """A web process and a worker for as long as the context lasts: their address."""
        port, output = free_port(), self.directory / "served.out"
        command = [sys.executable, "-m", "media_library", "serve", "--port", str(port)]
        process = launch_server(command, output, env=self.environment, cwd=EXAMPLES)
        try:
            until_listening(process, port, output, PATIENCE)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


@dataclass(frozen=True)
class Kept:
    """What a user has from before the move: a session's cookie, a token, a recovery code, and all that was answered."""

    cookies: dict[str, str]
    token: str
    recovery_code: str
    answers: dict[str, str]


def furnish(site: Site, count: int) -> None:
    """``count`` generated media of twelve users, and the accounts of the demonstration."""
    application = site.assembled()
    with application.stack:
        application.prepare()
        generate(application.stack.database, count)
    prepare(site.assembled(), guest=True, keeper=True)


def live(address: str) -> Kept:
    """Log in, enrol a second factor, issue a token, upload and tag posters, and wait until all is done behind it."""
    with _browser(address) as page:
        page.log_in(**KEEPER)
        shown = page.enrol_factor(password=KEEPER["password"]).data
        code = TOTP(shown.secret.replace(" ", "")).now()
        codes = page.confirm_factor(code=code).data.recovery_codes
        issued = page.issue_token(
            name="move",
            password=KEEPER["password"],
            permissions=["media:create", "media:read:own", "media:edit:own"],
            days=1,
        )
        for poster in POSTERS:
            # Another picture than that of the same poster elsewhere.
            added = page.add_medium(file=(poster.filename, draw(poster, seed=1)), title=poster.title)
            page.change_medium(added.data.id, tags=poster.tags)
        _until(lambda: _is_settled(page))
        cookies = dict(page.http.cookies.items())
        token = issued.data.token
        return Kept(cookies, token, codes[0], answers(address, token))


def _is_settled(page: Browser) -> bool:
    told = [line.amount for line in page.list_notifications().data if line.kind == "posters_ready"]
    counted = sum(kind.count for kind in page.show_stats().data.types or [])
    seen = [medium for medium in page.list_media_all() if medium.thumbnail and medium.colours]
    return len(seen) == counted == len(POSTERS) and told == [len(POSTERS)]


def answers(address: str, token: str) -> dict[str, str]:
    """What the user is answered: the data of lists, searches and figures, and a hash of each file and thumbnail."""
    with httpx.Client(base_url=f"{address}/api/v1/", headers={"Authorization": f"Bearer {token}"}) as http:
        found = {path: json.dumps(_got(http, path).json()["data"], sort_keys=True) for path in _ASKED}
        for medium in json.loads(found[_ASKED[0]]):
            for part in ("file", "thumbnail"):
                path = f"media/{medium['id']}/{part}"
                found[path] = hashlib.sha256(_got(http, path).content).hexdigest()
        return found


def _got(http: httpx.Client, path: str) -> httpx.Response:
    answer = http.get(path)
    answer.raise_for_status()
    return answer


def searched(site: Site) -> dict[str, str]:
    """The first page of lists and searches in the library of the user who has most media, past every cache."""
    application = site.assembled()
    with application.stack:
        library = application.library
        queries = {words or "all": LIST.Query.model_validate({"q": words}) for words in _SEARCHES}
        pages = {name: library.page(_USER, library.ask(_USER, query)) for name, query in queries.items()}
    return {name: json.dumps(page["items"], default=str, sort_keys=True) for name, page in pages.items()}


def index_all(site: Site) -> int:
    """Make the full text of all media anew, and say of how many.

    The cache is emptied too, so that whatever is asked afterwards is answered by the database.
    """
    application = site.assembled()
    with application.stack:
        application.stack.cache.clear()
        return search.rebuild(application.stack.database)


def remembered(address: str, kept: Kept) -> Iterator[tuple[str, bool]]:
    """What a user tries after the move, and whether all is as it was before."""
    now = answers(address, kept.token)
    files = {path for path in now if path.startswith("media/")}
    same = {path for path in now if now[path] == kept.answers.get(path)} if now.keys() == kept.answers.keys() else set()
    yield (
        f"{len(now) - len(files)} lists, searches and figures, by the access token from before",
        now.keys() - files <= same,
    )
    yield f"{len(files)} files and thumbnails, byte for byte", files <= same
    with _browser(address, kept.cookies) as page:
        yield "the session from before", page.show_me().data.name == KEEPER["name"]
    with _browser(address) as page:
        page.log_in(**KEEPER)
        page.log_in_with_code(recovery_code=kept.recovery_code)
        yield "a login by the password and a recovery code from before", page.show_me().data.name == KEEPER["name"]


def _parted(found: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The answers about files, and the others."""
    files = {path: answer for path, answer in found.items() if path.startswith("media/")}
    return files, {path: answer for path, answer in found.items() if path not in files}


def smoked(address: str, directory: Path) -> Iterator[tuple[str, str, bool]]:
    """Each step of the smoke: its name, what came of it, whether it succeeded; the first that does not is the last."""
    with ExitStack() as stack:
        clients = [stack.enter_context(httpx.Client(base_url=address, timeout=30)) for _ in range(5)]
        *others, http = clients
        page, guest, newcomer, elsewhere = map(Browser, others)
        for step in Smoke(page, guest, newcomer, elsewhere, http, directory).steps():
            name = step.__name__.replace("_", " ")
            try:
                yield name, step(), True
            except (Broken, ApiError, UnexpectedAnswer, httpx.HTTPError) as error:
                yield name, str(error) or type(error).__name__, False
                return


@contextmanager
def _browser(address: str, cookies: dict[str, str] | None = None) -> Iterator[Browser]:
    with httpx.Client(base_url=address, timeout=30, cookies=cookies) as http:
        yield Browser(http)


def _until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > deadline:
            raise TimeoutError("the worker did not finish its work")
        time.sleep(0.2)


@dataclass(frozen=True)
class Command:
    """A command that was run: its line, exit status, seconds, and peak of memory in MiB."""

    line: str
    status: int
    seconds: float
    peak: float


# Linux gives a process the peak of the one that it was forked from: a small one stands between.
_MEASURED = """
import json, resource, subprocess, sys, time
began = time.monotonic()
status = subprocess.call(sys.argv[2:], stdin=subprocess.DEVNULL)
measured = [time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024]
open(sys.argv[1], "w").write(json.dumps(measured))
sys.exit(status)
"""


def command(site: Site, *arguments: str, expected: Sequence[int] = (0,)) -> Command:
    """Run ``postrmagic ARGUMENTS`` as in the application's folder; another exit status raises what it wrote."""
    measured = site.directory / "command.json"
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, str(measured), sys.executable, "-m", "postrmagic_core.cli", *arguments],
        env=site.environment | {"COLUMNS": "200", "TERM": "dumb"},
        cwd=EXAMPLES,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    line = " ".join(["postrmagic", *arguments])
    if done.returncode not in expected:
        raise RuntimeError(f"{line} ended with {done.returncode}:\n{done.stdout[-4000:]}")
    seconds, peak = json.loads(measured.read_text())
    return Command(line, done.returncode, seconds, peak)
