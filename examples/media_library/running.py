"""The application in processes of its own, on backends of its own: for whoever tries it out and throws it away."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

LOG = "application.log"
PATIENCE = 60.0
_EXAMPLES = Path(__file__).parents[1]


@contextmanager
def application(urls: str) -> Iterator[tuple[str, Path]]:
    """The application in processes of its own: its address and its data directory, gone afterwards."""
    with ExitStack() as resources:
        directory = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="media-library-")))
        places = {"POSTRMAGIC_STACK__DATA_DIR": str(directory), "POSTRMAGIC_LOG__FILE": str(directory / LOG)}
        port = _free_port()
        address = f"http://127.0.0.1:{port}"
        environment = os.environ | _backends(urls, resources) | places | {"POSTRMAGIC_OAUTH__ISSUER": address}
        subprocess.run(  # nosec B603 # a command of our own
            [sys.executable, "-m", "media_library", "prepare", "--guest"],
            env=environment,
            cwd=_EXAMPLES,
            check=True,
        )
        command = [sys.executable, "-m", "media_library", "serve", "--port", str(port)]
        process = subprocess.Popen(command, env=environment, cwd=_EXAMPLES)  # noqa: S603 - a command of our own
        resources.callback(_end, process)
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
            if httpx.get(address + "/readyz", timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        if time.monotonic() - started > PATIENCE:
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
