"""A small project that is deployed to, of an application that breaks as it is told: see ``deploy_app``."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from postrmagic_core.deployment import Deployment, Engine, Outcome, Release, Replica, Said, Terms
from postrmagic_core.deployment.engine import Done
from postrmagic_core.deployment.proxy import servers_of
from tests.containers.engine import ROOT, free_port
from tests.containers.engine import Engine as Machine

APP = Path(__file__).parent / "deploy_app"
PREFIX = "postrmagic-deployed"
# Whoever is quick to judge is wrong on a busy machine; a test that is to fail waits no longer than it must.
TERMS = Terms(watch=3.0, ready_timeout=60.0)


class LocalEngine(Engine):
    """The package's own, in the environment of the machine's engine; ``before`` is called before each command."""

    def __init__(self, compose: Sequence[str], environment: Mapping[str, str]) -> None:
        super().__init__(compose)
        self._environment = dict(environment)

    def run(
        self, *words: str, timeout: float = 60.0, environment: Mapping[str, str] | None = None, check: bool = True
    ) -> Done:
        """As ever."""
        self.before(words)
        return super().run(
            *words, timeout=timeout, environment={**self._environment, **(environment or {})}, check=check
        )

    def before(self, words: Sequence[str]) -> None:
        """What a test does at a certain command."""


@dataclass
class Asked:
    """Answers by status and body; ``failed`` are those that were none, or errors of the server."""

    answers: Counter[tuple[int, str]] = field(default_factory=Counter)
    failed: list[tuple[float, str]] = field(default_factory=list)

    @property
    def count(self) -> int:
        """All of them."""
        return sum(self.answers.values())


@dataclass
class Stage:
    """The project. ``options`` are those of ``docker compose``."""

    machine: Machine
    name: str
    port: int
    environment: dict[str, str]
    file: Path = APP / "compose.yaml"
    said: list[Said] = field(default_factory=list)

    @property
    def options(self) -> list[str]:
        """Which file and project."""
        return ["--file", str(self.file), "--project-name", self.name]

    def engine(self) -> LocalEngine:
        """What deployments use."""
        return LocalEngine(self.options, self.environment)

    def deployment(self, terms: Terms = TERMS, engine: Engine | None = None) -> Deployment:
        """One, that tells ``said``."""
        return Deployment(engine or self.engine(), terms, report=self.said.append)

    def up(self, version: str, image: str = "", *, again: bool = False, terms: Terms = TERMS) -> Outcome:
        """Deploy the application's image of this kind."""
        return self.deployment(terms).up(Release(version, f"{PREFIX}:{image or version}"), again=again)

    def command(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        """``postrmagic deploy WORDS`` as a process of its own; an interrupt reaches it as at a terminal."""
        start = (
            "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
            "from postrmagic_core.cli import main; main()"
        )
        command = [sys.executable, "-u", "-c", start, "deploy", words[0], *self.project, *words[1:]]
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env={**self.environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    @property
    def project(self) -> list[str]:
        """The same for the command."""
        return ["--file", str(self.file), "--project", self.name]

    def replicas(self, service: str = "") -> list[Replica]:
        """What runs."""
        found = self.engine().replicas(self.name)
        return [one for one in found if one.service == service or (not service and one.service != "proxy")]

    def versions(self) -> Counter[tuple[str, str]]:
        """How many serve of each service and release."""
        return Counter((one.service, one.release.version) for one in self.replicas() if one.serving)

    def left(self) -> list[str]:
        """Locks and notes that were not cleared away."""
        found = self.engine().run("ps", "--all", "--format", "{{.Names}}", "--filter", f"name={self.name}-deploy-")
        return found.out.split()

    def retried(self) -> int:
        """How often the proxy tried a request again, since it began."""
        script = "import urllib.request as u;print(u.urlopen('http://proxy:8404/stats;csv').read().decode())"
        one = next(one for one in self.replicas("app") if one.serving)
        done = self.engine().run("exec", one.id, "python3", "-I", "-c", script)
        return sum(each.retried for each in servers_of(done.out))

    @contextmanager
    def asked(self, clients: int = 4) -> Iterator[Asked]:
        """Clients that ask one request after the other until the block ends; none is repeated."""
        found, stop, lock = Asked(), threading.Event(), threading.Lock()

        def ask() -> None:
            while not stop.wait(0.01):
                status, body = 0, ""
                connection = http.client.HTTPConnection(self.machine.host, self.port, timeout=15)
                try:
                    connection.request("GET", "/")
                    answer = connection.getresponse()
                    status, body = answer.status, answer.read().decode()
                except (OSError, http.client.HTTPException) as error:
                    body = type(error).__name__
                finally:
                    connection.close()
                with lock:
                    found.answers[status, body if status == 200 else ""] += 1
                    if status != 200:
                        found.failed.append((time.time(), f"{status} {body[:80]}"))

        threads = [threading.Thread(target=ask, daemon=True) for _ in range(clients)]
        for thread in threads:
            thread.start()
        try:
            yield found
        finally:
            stop.set()
            for thread in threads:
                thread.join(20)


@contextmanager
def staged(machine: Machine, proxy: str, name: str) -> Iterator[Stage]:
    """The project, with nothing in it; removed afterwards."""
    port = free_port()
    environment = {**machine.environment, "HAPROXY_IMAGE": proxy, "LISTEN": f"{machine.publish}:{port}"}
    stage = Stage(machine, name, port, environment)
    cleared(stage)
    try:
        yield stage
    finally:
        cleared(stage)


def cleared(stage: Stage) -> None:
    """Remove everything of the project."""
    words = ("compose", *stage.options, "down", "--volumes", "--remove-orphans", "--timeout", "1")
    stage.engine().run(*words, timeout=120, check=False)
    if left := stage.left():
        stage.machine.docker("rm", "--force", *left, check=False)


def built(machine: Machine, base: str, kind: str, **arguments: str) -> str:
    """The application's image of this kind."""
    image = f"{PREFIX}:{kind}"
    words = [f"--build-arg={name}={value}" for name, value in {"BASE": base, "VERSION": kind, **arguments}.items()]
    machine.docker("build", "--quiet", *words, f"--tag={image}", str(APP))
    return image


def killed(process: subprocess.Popen[str], number: int = signal.SIGKILL) -> None:
    """Send a signal to the command alone."""
    os.kill(process.pid, number)
