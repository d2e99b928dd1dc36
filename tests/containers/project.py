"""The reference application as ``compose.yaml`` runs it, under a name and on a port of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from postrmagic_core.deployment.proxy import Server, servers_of
from tests.containers.engine import ROOT, Engine, free_port, told
from tests.containers.images import Images

# Removing a project takes some seconds, and dying is no reason not to: this process waits for its parent's end.
_KEEPER = "import subprocess, sys; sys.stdin.read(); subprocess.run(sys.argv[1:], stdin=-3, stdout=-3, stderr=-3)"
APP = ("--app", "media_library.worker:stack")


@dataclass(frozen=True)
class Project:
    """One that runs. ``address``: of its proxy; ``environment``: what compose fills its file in with."""

    engine: Engine
    name: str
    address: str
    environment: Mapping[str, str]
    profiles: tuple[str, ...] = ("production",)
    files: tuple[str, ...] = (str(ROOT / "compose.yaml"),)

    def compose(self, *arguments: str, check: bool = True, timeout: float = 600, **variables: str) -> str:
        """What ``docker compose ARGUMENTS`` printed for this project. ``variables``: other values than its own."""
        return self.engine.docker(
            "compose", *self.options, *arguments, check=check, timeout=timeout, **{**self.environment, **variables}
        )

    @property
    def options(self) -> list[str]:
        """Of ``docker compose``, before the command."""
        chosen = [word for profile in self.profiles for word in ("--profile", profile)]
        files = [word for file in self.files for word in ("--file", file)]
        return ["--project-name", self.name, "--project-directory", str(ROOT), *files, *chosen]

    def containers(self, service: str) -> list[str]:
        """The ids of those that run for the service."""
        return self.compose("ps", "--quiet", service).split()

    def health(self, container: str) -> str:
        """As Docker says: ``healthy``, ``unhealthy``, ``starting``; or that it does not run."""
        form = "{{if .State.Running}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}}"
        return self.engine.docker("inspect", "--format", form, container, check=False)

    def inside(self, service: str, *command: str, timeout: float = 120) -> str:
        """What a command prints in a container of the service that runs."""
        return self.compose("exec", "-T", service, *command, timeout=timeout)

    def once(self, *command: str, image: str | None = None) -> str:
        """What a command prints in a container of the application, or of another ``image`` of it, made for it."""
        chosen = image or self.environment["IMAGE"]
        return self.compose("run", "--rm", "-T", "--no-deps", "app", *command, IMAGE=chosen)

    def queried(self, sql: str) -> list[list[str]]:
        """The rows of a query to its database."""
        command = (
            'exec mariadb --user=media --password="$(cat /run/secrets/database_password)" --batch -N media -e "$0"'
        )
        return [line.split("\t") for line in self.inside("database", "bash", "-c", command, sql).splitlines()]

    def statistics(self) -> list[Server]:
        """What the proxy says of each of its servers."""
        script = (
            "import urllib.request as r; print(r.urlopen('http://proxy:8404/stats;csv', timeout=5).read().decode())"
        )
        return servers_of(self.inside("app", "python", "-I", "-c", script))

    def up(self) -> int:
        """How many replicas the proxy sends requests to."""
        return sum(one.up for one in self.statistics())

    def seen(self) -> str:
        """What the proxy said of late: why it took a replica out, for who wonders why requests failed."""
        return self.compose("logs", "--no-color", "--timestamps", "--tail=20", "proxy", check=False)

    def scaled(self, replicas: int) -> float:
        """The seconds until so many replicas are healthy and get requests."""
        began = time.monotonic()
        size = ("--scale", f"app={replicas}", "app")
        self.compose("up", "--detach", "--no-build", "--no-deps", "--no-recreate", "--wait", *size)
        until(lambda: self.up() == replicas, f"the proxy knows {replicas} replicas")
        return time.monotonic() - began

    def crashed(self, container: str) -> None:
        """Kill its first process from outside: Docker would take its own kill for a wish, and not restart it."""
        process = self.engine.docker("inspect", "--format", "{{.State.Pid}}", container)
        self.engine.docker(
            "run",
            "--rm",
            "--pid=host",
            "--user=0",
            "--network=none",
            "--entrypoint=/bin/sh",
            self.environment["IMAGE"],
            "-c",
            f"kill -9 {process}",
        )


@contextmanager
def running(
    engine: Engine, images: Images, image: str, *, name: str, secrets: Path, **variables: str
) -> Iterator[Project]:
    """The production profile, healthy, with the demo account; removed afterwards, also when this process is killed."""
    port = free_port()
    environment = {
        "IMAGE": image,
        "PULL_POLICY": "never",
        "LISTEN": f"{engine.publish}:{port}",
        "SECRETS": str(secrets),
        "HEALTH_INTERVAL": "2s",
        "SITE": "https://media.example",
        "DATABASE_BUFFER": "64M",
        **images.variables,
        **variables,
    }
    project = Project(engine, name, f"http://{engine.host}:{port}", environment)
    with _removed(project):
        made_secrets(secrets)
        told(f"starting {name}")
        try:
            project.compose("up", "--detach", "--no-build", "--wait", "--wait-timeout", "300")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{project.compose('logs', '--no-color', '--tail=20')}") from None
        project.once("python", "-m", "media_library", "prepare")
        yield project


def made_secrets(directory: Path) -> None:
    """As an operator makes them."""
    subprocess.run(["sh", ROOT / "deploy" / "secrets.sh", directory], check=True, stdin=subprocess.DEVNULL)


@contextmanager
def _removed(project: Project) -> Iterator[None]:
    down = ["docker", "compose", *project.options, "down", "--volumes", "--remove-orphans", "--timeout", "3"]
    environment = {**project.engine.environment, **project.environment}
    with subprocess.Popen(
        [sys.executable, "-I", "-c", _KEEPER, *down], stdin=subprocess.PIPE, env=environment, start_new_session=True
    ) as keeper:
        try:
            yield
        finally:
            told(f"removing {project.name}")
            assert keeper.stdin is not None
            keeper.stdin.close()


@contextmanager
def scratch() -> Iterator[Path]:
    """A directory for what a run makes; containers mount files of it."""
    directory = Path(tempfile.mkdtemp(prefix="postrmagic-containers-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def until(condition: Callable[[], object], what: str, timeout: float = 60.0, every: float = 0.2) -> float:
    """The seconds until it is so; fails with ``what`` where it is not in time."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > timeout:
            raise AssertionError(f"not within {timeout:.0f} s: {what}")
        time.sleep(every)
    return time.monotonic() - began
