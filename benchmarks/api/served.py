"""Both sides served by uvicorn, asked in turns; who does not have its turn is idle.

Neither makes thumbnails: the application's worker does not run, and the other side has no task for them.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

from postrmagic_core.testing._children import until_listening
from postrmagic_core.testing.servers import free_port

from .._harness import Bench
from .._stats import Comparison, Sample, percentile
from . import alike
from .client import CLIENTS, Found, Turn, address_of
from .requests import LIST, OPERATIONS, POSTER, SEARCH, UPLOAD

OURS, THEIRS = "ours", "plain"
_LABELS = {OURS: "ours", THEIRS: "FastAPI and SQLAlchemy"}
_ROOT = Path(__file__).parents[2]
_PATIENCE = 120.0
# uvicorn writes the other side's line for each request, the application its own.
_COMMANDS = {
    OURS: ["media_library.asgi:app", "--no-access-log"],
    THEIRS: ["--factory", "benchmarks.api._fastapi_app:application"],
}
# Whoever is logged in stays so when other processes serve.
_SECRET = secrets.token_urlsafe(32)
_COMPARED = 20  # searches; their numbers are not used again


@dataclass(frozen=True)
class Served:
    """A side whose processes run: its port, and the folder of its cookies and of the image that is uploaded.

    ``session``: the session of its processes, as the kernel counts them.
    """

    port: int
    folder: Path
    session: int

    def asked(self, operation: str, turn: Turn) -> Found:
        """What the clients, a process of their own, found in a turn; in a longer one where nobody was answered."""
        argv = [sys.executable, "-m", "benchmarks.api.client", operation, str(self.port), str(self.cookies)]
        argv += [str(self.folder / POSTER), json.dumps(asdict(turn))]
        used = processor_seconds(self.session)
        ran = subprocess.run(argv, cwd=_ROOT, check=True, stdout=subprocess.PIPE, timeout=turn.seconds + _PATIENCE)
        found = Found(**json.loads(ran.stdout))
        if not found.times:
            longer = self.asked(operation, replace(turn, first=turn.first + found.asked, seconds=4 * turn.seconds))
            longer.asked += found.asked
            return longer
        found.served = (processor_seconds(self.session) - used) / found.asked
        return found

    @property
    def cookies(self) -> Path:
        """The file with a cookie for each client."""
        return self.folder / "cookies.json"


def processor_seconds(session: int) -> float:
    """What the processes of a session, and those of their children that ended, used of the processors until now."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it may end meanwhile
            values = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if int(values[3]) == session:
                ticks += sum(map(int, values[11:15]))  # utime, stime, cutime, cstime: proc_pid_stat(5)
    return ticks / os.sysconf("SC_CLK_TCK")


def compared(bench: Bench) -> None:
    """``list_rate``, ``list_p95_ms``, ``list_time_ratio``, and the same of ``search`` and ``upload``.

    ``list_time_ratio.two_processes``: the list, where either side has two processes. ``list_rate.plain``, …: what the
    other side does. ``list_processor_us``: what a request costs the server's processes, whoever else uses the machine;
    ``list_time_ratio.processor``: that, over the other side's. ``list_client_us``: what it costs the clients, who have
    their share of the processors.
    """
    prepared = bench.peer("FastAPI and SQLAlchemy", _prepared)
    if prepared is None:
        return
    with tempfile.TemporaryDirectory(prefix="api-") as name:
        folders = {side: Path(name) / side for side in _LABELS}
        for folder in folders.values():
            folder.mkdir()
        prepared.prepare(folders[OURS], folders[THEIRS], bench.scaled(10_000, 2000))
        with ExitStack() as opened:
            sides = {side: opened.enter_context(running(side, folder, 1)) for side, folder in folders.items()}
            log_in(sides, prepared.ACCOUNT)
            same(sides)
            for operation in OPERATIONS:
                told(bench, operation, in_turns(bench, sides, operation))
        with ExitStack() as opened:
            sides = {side: opened.enter_context(running(side, folder, 2)) for side, folder in folders.items()}
            found = _comparison(f"{LIST}, two processes", in_turns(bench, sides, LIST))
        bench.comparisons.append(found)
        bench.figure("list_time_ratio.two_processes", found.time_ratio(*_LABELS.values()))


def _prepared() -> ModuleType:
    return import_module(f"{__package__}.prepared")


def told(bench: Bench, operation: str, rounds: dict[str, list[Found]]) -> None:
    """Report the figures of an operation."""
    found = _comparison(operation, rounds)
    bench.comparisons.append(found)
    for side, suffix in ((OURS, ""), (THEIRS, ".plain")):
        bench.figure(f"{operation}_rate{suffix}", found[_LABELS[side]].rate)
        bench.figure(f"{operation}_p95_ms{suffix}", median(percentile(one.times, 0.95) for one in rounds[side]) * 1e3)
    bench.figure(f"{operation}_time_ratio", found.time_ratio(*_LABELS.values()))
    if all(one.served for side in rounds.values() for one in side):
        pairs = zip(rounds[OURS], rounds[THEIRS], strict=True)
        bench.figure(f"{operation}_time_ratio.processor", median(one.served / other.served for one, other in pairs))
        for side, suffix in ((OURS, ""), (THEIRS, ".plain")):
            bench.figure(f"{operation}_processor_us{suffix}", median(one.served for one in rounds[side]) * 1e6)
    bench.figure(f"{operation}_client_us", median(one.cost for side in rounds.values() for one in side) * 1e6)


def _comparison(operation: str, rounds: dict[str, list[Found]]) -> Comparison:
    samples = {}
    for side, label in _LABELS.items():
        times = [taken for one in rounds[side] for taken in one.times]
        means = [sum(one.times) / len(one.times) for one in rounds[side]]
        samples[label] = Sample(label, means, times, [one.rate for one in rounds[side]])
    return Comparison(f"{operation}: {CLIENTS} clients", samples)


def in_turns(bench: Bench, sides: dict[str, Served], operation: str) -> dict[str, list[Found]]:
    """What the clients found on each side, round by round."""
    drawn = random.Random(bench.options.seed)
    found: dict[str, list[Found]] = {side: [] for side in sides}
    # A turn of uploads has a number of them: for a time it would end before the slower side answered once.
    seconds = 0.0 if operation == UPLOAD else bench.options.duration or (0.5 if bench.options.quick else 3.0)
    answers = bench.repeats(2, 1) * CLIENTS if operation == UPLOAD else 0
    rounds = bench.repeats(5, 1) if operation == UPLOAD else bench.repeats(9, 2)
    first = dict.fromkeys(sides, _COMPARED)
    kept_from = bench.repeats(1, 0) if operation == UPLOAD else 1  # the first round is not kept
    for number in range(rounds + kept_from):
        for side in drawn.sample(list(sides), len(sides)):
            one = sides[side].asked(operation, Turn(first[side], seconds, answers))
            first[side] += one.asked
            if number >= kept_from:
                found[side].append(one)
    return found


@contextmanager
def running(side: str, folder: Path, processes: int) -> Iterator[Served]:
    """The side in so many processes, its files in ``folder``."""
    port = free_port()
    argv = [sys.executable, "-m", "uvicorn", *_COMMANDS[side], "--port", str(port), "--workers", str(processes)]
    argv += ["--no-server-header", "--no-proxy-headers"]
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv, cwd=_ROOT, env=_environment(folder), stdout=output, stderr=output, start_new_session=True
        )
        try:
            until_listening(process, port, log, _PATIENCE)
            yield Served(port, folder, process.pid)
        finally:
            process.terminate()
            process.wait(_PATIENCE)


def _environment(folder: Path) -> dict[str, str]:
    around = {name: value for name, value in os.environ.items() if not name.startswith("POSTRMAGIC_")}
    found = [str(_ROOT / "examples"), str(_ROOT), *filter(None, [around.get("PYTHONPATH")])]
    return around | {
        "PYTHONPATH": os.pathsep.join(found),
        "POSTRMAGIC_STACK__DATA_DIR": str(folder),
        "POSTRMAGIC_LOG__FILE": str(folder / "application.log"),
        "PLAIN_LIBRARY": str(folder),
        "PLAIN_SECRET": _SECRET,
    }


def log_in(sides: dict[str, Served], account: dict[str, str], clients: int = CLIENTS) -> None:
    """A session for each client, from the address that it will ask from."""
    headers = {"Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"}
    for served in sides.values():
        cookies = []
        for number in range(clients):
            source = (address_of(number), 0)
            connection = http.client.HTTPConnection("127.0.0.1", served.port, _PATIENCE, source)
            connection.request("POST", "/api/v1/login", json.dumps(account), headers | {"Host": "library.example.org"})
            answer = connection.getresponse()
            body = answer.read()
            if answer.status not in {200, 204}:
                raise RuntimeError(f"the login was answered {answer.status}: {body[:300]!r}")
            given = answer.headers.get_all("set-cookie") or []
            cookies.append("; ".join(one.partition(";")[0] for one in given))
            connection.close()
        served.cookies.write_text(json.dumps(cookies), encoding="utf-8")


def same(sides: dict[str, Served]) -> None:
    """Ask both sides for the same things; raises :class:`RuntimeError` where what they answer differs."""
    for operation in OPERATIONS:
        for number in range(_COMPARED if operation == SEARCH else 1):
            ours, theirs = (_answered(sides[side], operation, number) for side in (OURS, THEIRS))
            alike.compare(operation, ours, theirs)


def _answered(served: Served, operation: str, number: int) -> dict[str, Any]:
    cookie = json.loads(served.cookies.read_text(encoding="utf-8"))[0]
    image = (served.folder / POSTER).read_bytes()
    return alike.answered(operation, served.port, cookie, image, number)
