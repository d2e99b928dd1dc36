"""The web process under a server of its choice, in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from media_library.seed import DEMO
from postrmagic_core.testing._children import launch_server, until_listening
from postrmagic_core.testing.certificates import Authority
from postrmagic_core.testing.servers import free_port

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
# As `postrmagic dev` starts it. Each server with one process and its own defaults for everything else.
SERVERS = {
    "uvicorn-h11": ["uvicorn", "--http", "h11"],
    "uvicorn-httptools": ["uvicorn", "--http", "httptools"],
    "granian": ["granian", "--interface", "asgi", "--log-level", "warning"],
}
_QUIET = ["--no-server-header", "--no-access-log", "--no-proxy-headers", "--log-level", "warning"]


def missing(server: str) -> bool:
    """Whether the server, or its parser, is not installed."""
    return importlib.util.find_spec(server.removeprefix("uvicorn-")) is None


@dataclass(frozen=True)
class Served:
    """A running web process: its port on 127.0.0.1, its pid, and what it writes."""

    server: str
    port: int
    pid: int
    directory: Path
    scheme: str = "http"

    @property
    def origin(self) -> str:
        """Where the page is."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def client(self, **options: Any) -> httpx.Client:
        """An HTTP client that says what browsers say of the site's own page."""
        own = {"Sec-Fetch-Site": "same-origin"} | options.pop("headers", {})
        trusted = (
            ssl.create_default_context(cafile=self.directory / "authority.pem") if self.scheme == "https" else True
        )
        return httpx.Client(base_url=self.origin, verify=trusted, headers=own, timeout=PATIENCE, **options)

    def logged_in(self) -> str:
        """The ``Cookie`` of a new session of the demo user."""
        with self.client() as client:
            answer = client.post("/api/v1/login", json=DEMO)
        assert answer.status_code == 200, answer.text
        return answer.headers["set-cookie"].partition(";")[0]

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The log's records of ``event`` so far."""
        lines = (self.directory / "site.log").read_text().splitlines()
        return [record for record in map(json.loads, lines) if record["event"] == event]

    def resident(self) -> int:
        """Bytes of memory that the process and its children hold now."""
        return sum(_memory(pid, "VmRSS") for pid in [self.pid, *_children_of(self.pid)])

    def peak(self) -> int:
        """The most they have ever held."""
        return sum(_memory(pid, "VmHWM") for pid in [self.pid, *_children_of(self.pid)])


@contextmanager
def serving(
    server: str,
    directory: Path,
    furnished: Path | None,
    *,
    tls: bool = False,
    app: str = "media_library.asgi:app",
    **environment: str,
) -> Iterator[Served]:
    """The site under ``server`` on SQLite files in ``directory``, with the accounts of ``furnished``, without media.

    ``None``: ``directory`` holds what it needs already, or the ``environment`` names other backends.
    """
    if furnished is not None:
        shutil.copy(furnished, directory / "app.db")
    port = free_port()
    module, *options = SERVERS[server]
    command = [sys.executable, "-m", module, app, "--port", str(port), *options]
    command += [*_QUIET, "--timeout-graceful-shutdown", "1"] if module == "uvicorn" else []
    if tls:
        issued = Authority(directory).issue("127.0.0.1")
        command += ["--ssl-certfile", str(issued.certificate), "--ssl-keyfile", str(issued.key)]
    places = {
        "PYTHONPATH": os.pathsep.join([str(ROOT / "examples"), str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "POSTRMAGIC_STACK__DATA_DIR": str(directory),
        "POSTRMAGIC_STACK__ENVIRONMENT": "test",
        "POSTRMAGIC_LOG__FILE": str(directory / "site.log"),
        "POSTRMAGIC_OAUTH__ISSUER": f"{'https' if tls else 'http'}://127.0.0.1:{port}",
    }
    # Whatever backends the environment names are not this site's.
    around = {name: value for name, value in os.environ.items() if not name.startswith("POSTRMAGIC_")}
    process = launch_server(command, directory / "server.out", env=around | places | environment)
    try:
        served = Served(server, port, process.pid, directory, "https" if tls else "http")
        # Servers listen once the application has started.
        until_listening(process, port, directory / "server.out", PATIENCE)
        yield served
    finally:
        process.terminate()
        try:
            process.wait(15)
        except Exception:
            process.kill()
            process.wait()
            raise


def _memory(pid: int, kind: str) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(f"{kind}:")), 0)


def _children_of(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []
