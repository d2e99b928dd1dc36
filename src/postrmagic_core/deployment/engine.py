"""The container engine, by its command line: ``docker`` with ``compose``, and nothing else on this machine."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

from ..errors import EngineFailed, EngineGone
from .interface import Release, Replica

RELEASE: Final = "org.postrmagic.release"
IMAGE: Final = "org.postrmagic.image"
PREVIOUS_RELEASE: Final = "org.postrmagic.previous-release"
PREVIOUS_IMAGE: Final = "org.postrmagic.previous-image"
_PROJECT, _SERVICE = "com.docker.compose.project", "com.docker.compose.service"
_GONE = ("cannot connect to the docker daemon", "error during connect", "is the docker daemon running")
_NO_PLUGIN = ("is not a docker command", "unknown flag", "unknown shorthand")
_ABSENT = "no such"
_SHORT, _LONG = 60.0, 900.0
_LINES = 20


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended and what it said."""

    status: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """The last lines of both."""
        return last_lines(f"{self.out.rstrip()}\n{self.err.rstrip()}".strip())


def last_lines(text: str, count: int = _LINES) -> str:
    """The end of a text."""
    return "\n".join(text.strip().splitlines()[-count:])


class Engine:
    """One engine and, of what runs there, one Compose project.

    ``compose`` are the options of ``docker compose`` that name the file, the project and profiles. Every command is a
    process of its own session: an interrupt at the terminal does not end it half-way.
    """

    def __init__(self, compose: Sequence[str] = (), *, program: str = "docker") -> None:
        self._compose = ("--progress", "quiet", *compose)
        self._program = program

    def run(
        self, *words: str, timeout: float = _SHORT, environment: Mapping[str, str] | None = None, check: bool = True
    ) -> Done:
        """``docker WORDS``; raises :class:`EngineGone` where no engine answers, :class:`EngineFailed` if ``check``."""
        what = f"{self._program} {' '.join(words[:2])}"
        try:
            done = subprocess.run(  # noqa: S603  # nosec B603  # a list of words, no shell
                [self._program, *words],
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout,
                check=False,
                start_new_session=True,
                text=True,
                errors="replace",
            )
        except (FileNotFoundError, PermissionError):
            raise EngineGone(
                f"there is no program {self._program} here: install the docker command with its compose plugin"
            ) from None
        except subprocess.TimeoutExpired as error:
            raise EngineFailed(f"{what} did not end within {timeout:.0f} s", said=_text(error.stderr)) from None
        found = Done(done.returncode, done.stdout, done.stderr)
        if done.returncode and any(sign in done.stderr.lower() for sign in _GONE):
            raise EngineGone(
                "the container engine does not answer: is it running, and does DOCKER_HOST name it?", said=found.said
            )
        if check and done.returncode:
            raise EngineFailed(
                f"{what} failed with status {done.returncode}: {last_lines(found.err, 3)}", said=found.said
            )
        return found

    def compose(
        self, *words: str, release: Release | None = None, previous: Release | None = None, timeout: float = _LONG
    ) -> Done:
        """``docker compose WORDS`` with the release's variables set; see :meth:`run`."""
        return self.run("compose", *self._compose, *words, environment=variables(release, previous), timeout=timeout)

    def document(self, release: Release | None = None) -> dict[str, Any]:
        """The Compose file as the engine's plugin reads it, with variables replaced."""
        words = ("compose", *self._compose, "config", "--format", "json")
        done = self.run(*words, environment=variables(release, None), check=False)
        if done.status and any(sign in done.err.lower() for sign in _NO_PLUGIN):
            raise EngineFailed("the docker command has no compose plugin: install it", said=done.said)
        if done.status:
            raise EngineFailed(f"the Compose file cannot be read: {last_lines(done.err, 3)}", said=done.said)
        try:
            found = json.loads(done.out)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise EngineFailed(
                "`docker compose config` answers no JSON: its compose plugin must be of version 2 or newer"
            )
        return found

    def image_id(self, image: str) -> str:
        """The id of an image that is here; empty where it is not."""
        done = self.run("image", "inspect", "--format", "{{.Id}}", "--", image, check=False)
        return done.out.strip() if done.status == 0 else ""

    def pull(self, image: str) -> None:
        """Fetch an image from its registry."""
        self.run("pull", "--quiet", "--", image, timeout=_LONG)

    def replicas(self, project: str) -> list[Replica]:
        """The containers of the project's services, in the order of their making; one-off containers left out."""
        only = ("--filter", f"label={_PROJECT}={project}", "--filter", "label=com.docker.compose.oneoff=False")
        ids = self.run("ps", "--all", "--quiet", "--no-trunc", *only).out.split()
        found = sorted(self.inspected(ids), key=lambda one: str(one.get("Created")))
        return [_replica(one) for one in found]

    def inspected(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """What the engine knows of these containers; those that are gone by now are left out."""
        if not ids:
            return []
        done = self.run("container", "inspect", *ids, check=False)
        if done.status and _ABSENT not in done.err.lower():
            raise EngineFailed(f"docker inspect failed: {last_lines(done.err, 3)}", said=done.said)
        found = json.loads(done.out or "[]")
        return found if isinstance(found, list) else []

    def scale(self, service: str, count: int, release: Release, previous: Release | None) -> None:
        """Make new containers of a service until there are ``count``; those that are there stay as they are."""
        words = ("up", "--detach", "--no-deps", "--no-recreate", "--no-build", "--pull", "never")
        self.compose(*words, "--scale", f"{service}={count}", service, release=release, previous=previous)

    def retire(self, replicas: Sequence[Replica]) -> None:
        """Have containers drain and end, all at once and within the time that each is given, then remove them."""
        if not replicas:
            return
        seconds = max(grace(one) for one in replicas)
        words = ("stop", "--time", str(ceil(seconds)), *(one.id for one in replicas))
        done = self.run(*words, timeout=seconds + _SHORT, check=False)
        if done.status and _ABSENT not in done.err.lower():
            raise EngineFailed(f"{replicas[0].name} could not be stopped: {last_lines(done.err, 3)}", said=done.said)
        for one in replicas:
            self.remove(one.id)

    def remove(self, container: str) -> None:
        """Remove a container, running or not; one that is gone is no error."""
        done = self.run("rm", "--force", "--", container, check=False)
        if done.status and _ABSENT not in done.err.lower() and "already in progress" not in done.err.lower():
            raise EngineFailed(f"a container could not be removed: {last_lines(done.err, 3)}", said=done.said)

    def log(self, container: str, lines: int = _LINES) -> str:
        """The last lines that a container said; empty where nobody knows."""
        try:
            done = self.run("logs", "--tail", str(lines), container, check=False)
        except EngineFailed:
            return ""
        return done.said if done.status == 0 else ""

    def once(self, service: str, command: Sequence[str], release: Release, previous: Release | None) -> Done:
        """A command in a container of its own, as the service would run with this release; its status is returned."""
        words = (
            "run",
            "--rm",
            "--no-deps",
            "--no-TTY",
            "--quiet-pull",
            "--pull",
            "never",
            "--interactive=false",
            service,
        )
        environment = variables(release, previous)
        return self.run(
            "compose", *self._compose, *words, *command, environment=environment, timeout=_LONG, check=False
        )


def grace(replica: Replica) -> float:
    """Seconds that a container is given to end: those of its Compose file's ``stop_grace_period``."""
    return replica.stop_timeout


def variables(release: Release | None, previous: Release | None) -> dict[str, str]:
    """What the Compose file finds in its environment."""
    if release is None:
        return {}
    return {
        "RELEASE": release.version,
        "IMAGE": release.image,
        "PREVIOUS_RELEASE": "" if previous is None else previous.version,
        "PREVIOUS_IMAGE": "" if previous is None else previous.image,
    }


def _replica(told: Mapping[str, Any]) -> Replica:
    config, state = told.get("Config") or {}, told.get("State") or {}
    labels: Mapping[str, str] = config.get("Labels") or {}
    networks = (told.get("NetworkSettings") or {}).get("Networks") or {}
    addresses = (net.get(name) for net in networks.values() for name in ("IPAddress", "GlobalIPv6Address"))
    image = labels.get(IMAGE) or config.get("Image") or ""
    before = labels.get(PREVIOUS_RELEASE), labels.get(PREVIOUS_IMAGE)
    return Replica(
        id=str(told.get("Id")),
        name=str(told.get("Name", "")).lstrip("/"),
        service=labels.get(_SERVICE, ""),
        release=Release(labels.get(RELEASE, ""), image, str(told.get("Image", ""))),
        state=str(state.get("Status", "")),
        health=_health(state),
        previous=Release(before[0], before[1]) if before[0] and before[1] else None,
        exit_code=int(state.get("ExitCode") or 0),
        restarts=int(told.get("RestartCount") or 0),
        addresses=tuple(address for address in addresses if address),
        stop_timeout=float(10 if config.get("StopTimeout") is None else config["StopTimeout"]),
    )


def _health(state: Mapping[str, Any]) -> str:
    status = str((state.get("Health") or {}).get("Status", ""))
    return "" if status == "none" else status


def _text(said: object) -> str:
    return last_lines(said.decode(errors="replace") if isinstance(said, bytes) else str(said or ""))
