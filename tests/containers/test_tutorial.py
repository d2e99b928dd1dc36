"""The whole tutorial, its deployment too, with what a reader installs and on a real engine."""

from __future__ import annotations

import shutil
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.containers.engine import Engine, told
from tests.containers.images import BASE, Images
from tests.docs.tutorial_page import Reader, blocks
from tests.docs.tutorial_ways import DEPLOYED, LOCAL, built, environment, free_port, from_wheel, ports

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1800)]


class _Passing(socketserver.BaseRequestHandler):
    """One connection, passed on as it is: a private engine's ports answer at another address than a reader's."""

    def handle(self) -> None:
        assert isinstance(self.server, _Doors)
        with socket.create_connection(self.server.behind) as behind:
            back = threading.Thread(target=_pass, args=(behind, self.request), daemon=True)
            back.start()
            _pass(self.request, behind)
            back.join(60)


def _pass(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:  # one of the two went away
        return


class _Doors(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, behind: tuple[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.behind = behind


@contextmanager
def passed_on(host: str, port: int) -> Iterator[int]:
    """The port of this machine at which ``host`` answers, as it does where a reader has an engine."""
    with _Doors((host, port)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()


def test_the_tutorial_works_to_its_end(machine: Engine, images: Images, tmp_path: Path) -> None:
    """Given a wheel of this checkout and an engine, who does all that stands there deploys, and goes back."""
    wheel = built(tmp_path / "wheel")
    project = tmp_path / "poster-library" / "posters"
    published = free_port()
    beside = {**machine.environment, **environment(machine.environment)}
    beside["LISTEN"] = f"{machine.publish}:{published}"
    with passed_on(machine.host, published) as port:
        reader = Reader(tmp_path, beside, from_wheel(wheel), ports(p8000=free_port(), p8080=port))
        for release in ("1.0", "1.1"):
            building = f"docker build --quiet --tag posters:{release} --build-arg RELEASE={release} ."
            reader.instead[building] = _with(wheel, project, images, building)
        try:
            with reader.reading():
                for page in (*LOCAL, DEPLOYED):
                    told(f"following {page.name}")
                    for block in blocks([page]):
                        reader.follow(block)
        finally:
            _removed(machine, project)


def _with(wheel: Path, project: Path, images: Images, building: str) -> Callable[[], str]:
    """The image is built of the wheel, as the index has no such package yet; and of the image that stands in."""

    def build() -> str:
        shutil.copy(wheel, project / "wheels")
        return building if images.base == BASE else f"{building} --build-arg PYTHON={images.base}"

    return build


def _removed(machine: Engine, project: Path) -> None:
    """What a run that failed left."""
    options = ["--project-name=posters", "--file=compose.yaml", "--env-file=deploy/environments/production.env"]
    if (project / "compose.yaml").exists():
        down = ["down", "--volumes", "--remove-orphans", "--timeout=3"]
        machine.docker("compose", *options, *down, cwd=project, check=False)
    for release in ("1.0", "1.1"):
        machine.docker("image", "rm", "--force", f"posters:{release}", check=False)
