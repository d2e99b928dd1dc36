"""A project that `postrmagic init` has written runs at once: from the wheel, and on the servers of production."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from postrmagic_core.cli.init import init
from postrmagic_core.testing import until
from postrmagic_core.testing._children import launch_server
from postrmagic_core.testing.servers import RedisServer

ROOT = Path(__file__).parents[2]
BARE = {name: value for name, value in os.environ.items() if not name.startswith(("POSTRMAGIC_", "PYTHON"))}
PATIENCE = 120.0
pytestmark = pytest.mark.timeout(600)  # builds and installs, on a machine that may have much else to do


def run(*command: str | Path, directory: Path, **environment: str) -> str:
    """What a command says, which must succeed."""
    done = subprocess.run(
        command,
        cwd=directory,
        env=BARE | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def developed(python: str | Path, project: Path, **environment: str) -> Iterator[httpx.Client]:
    """`postrmagic dev` as the project's README gives it, on a port of its own; stopped by Ctrl-C in the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    given = ["dev", "posters.web:app", "--app", "posters.worker:stack", "--port"]
    command = [str(python), "-m", "postrmagic_core.cli", *given, str(port)]
    log = project / "dev.log"
    process = launch_server(command, log, cwd=project, env=BARE | environment, start_new_session=True)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            until(lambda: ready(client, process, log), "it does not answer", timeout=PATIENCE)
            yield client
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0, log.read_text()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert '"level":"error"' not in log.read_text()


def ready(client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> bool:
    """Whether it answers that it is ready; fails once it has ended."""
    assert process.poll() is None, log.read_text()
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def write_a_note(client: httpx.Client) -> None:
    """As a person does: the note is in the list at once, and some time later with its words counted."""
    form = client.get("/").text
    (token,) = re.findall(r'name="csrf_token" value="([^"]+)"', form)
    done = client.post("/", data={"csrf_token": token, "text": "Hang the <b>spring</b> posters"}, follow_redirects=True)
    assert "Hang the &lt;b&gt;spring&lt;/b&gt; posters" in done.text
    until(lambda: "4 words" in client.get("/").text, "nobody counted the words", timeout=PATIENCE)
    assert "postrmagic_http_requests_total" in client.get("/metrics").text


@pytest.fixture
def posters(tmp_path: Path) -> Path:
    """A project, as it is written."""
    init("posters", tmp_path / "posters", as_json=True)
    return tmp_path / "posters"


@pytest.mark.soak
def test_from_the_wheel_to_a_note(tmp_path: Path) -> None:
    """In an environment that has the wheel and nothing of the checkout, the README's commands do what they say."""
    wheels = tmp_path / "wheels"
    run(
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(wheels),
        str(ROOT),
        directory=tmp_path,
    )
    run(sys.executable, "-m", "venv", "--without-pip", "venv", directory=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    # What others wrote is found in this environment; its .pth files, and with them the checkout, do not count there.
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    own = tmp_path / "venv" / "lib" / version / "site-packages"
    (own / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index", "--quiet"]
    run(*pip, "--no-deps", *wheels.glob("*.whl"), directory=tmp_path)
    run(python.parent / "postrmagic", "init", "posters", directory=tmp_path)
    project = tmp_path / "posters"
    run(*pip, "--no-build-isolation", ".[test]", directory=project)
    shutil.rmtree(project / "posters")  # what was installed is what runs, with its pages and revisions
    where = "import postrmagic_core, posters; print(postrmagic_core.__file__, posters.__file__)"
    found = run(python, "-c", where, directory=project).split()
    assert found == [str(own / name / "__init__.py") for name in ("postrmagic_core", "posters")]
    assert "9 passed" in run(python, "-m", "pytest", "-q", directory=project)
    run(python.parent / "postrmagic", "db", "upgrade", "--app", "posters.worker:stack", directory=project)
    with developed(python, project) as client:
        write_a_note(client)


class Production:
    """The services of the project's Compose file as processes of this machine, with servers of this test's own."""

    def __init__(self, project: Path, database: str, redis: str) -> None:
        compose = Path(sys.executable).parent / "docker-compose"
        self._services = json.loads(run(compose, "config", "--format=json", directory=project))["services"]
        self._project = project
        made, self._secrets = project / "made", project / "run"
        run(project / "deploy" / "secrets.sh", made, directory=project)
        self._secrets.mkdir()
        for secret in self._services["app"]["secrets"]:
            name = secret["source"]
            url = database if name == "database__url" else redis if name.endswith("__url") else None
            (self._secrets / name).write_text(url or (made / name).read_text())
        self.token = (made / "observability__token").read_text()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """The process of a service, by its own command."""
        service = self._services[name]
        places = {"/tmp/ready": str(self._project / "ready"), "=8000": f"={self.port}", "=0.0.0.0": "=127.0.0.1"}
        program, *words = service["command"]
        for place, here in places.items():
            words = [word.replace(place, here) for word in words]
        env = {"POSTRMAGIC_STACK__DATA_DIR": str(self._project / "data"), "POSTRMAGIC_SECRETS": str(self._secrets)}
        command = [str(Path(sys.executable).parent / program), *words]
        log = self._project / f"{name}.log"
        return launch_server(command, log, cwd=self._project, env=BARE | service["environment"] | env)


@pytest.mark.soak
@pytest.mark.mysql
@pytest.mark.redis
def test_it_is_the_same_on_the_servers_of_production(
    posters: Path, mariadb_url: str, own_redis_server: Callable[..., RedisServer]
) -> None:
    """By the commands, the settings and the secrets of its Compose file; SIGTERM ends each as it should."""
    production = Production(posters, mariadb_url, own_redis_server(appendonly="everysec").url)
    assert production.start("migrate").wait(PATIENCE) == 0, (posters / "migrate.log").read_text()
    processes = [production.start(name) for name in ("app", "worker")]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{production.port}", timeout=30) as client:
            until(lambda: ready(client, processes[0], posters / "app.log"), "it does not answer", timeout=PATIENCE)
            until((posters / "ready").exists, (posters / "worker.log").read_text(), timeout=PATIENCE)
            assert client.get("/readyz").json() == {"status": "ok"}
            assert client.get("/metrics").status_code == 401
            client.headers["Authorization"] = f"Bearer {production.token}"
            write_a_note(client)
        for process in processes:
            process.terminate()
        assert [process.wait(PATIENCE) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    for name in ("app", "worker"):
        assert '"level":"error"' not in (posters / f"{name}.log").read_text()
    environment = {"POSTRMAGIC_DATABASE__URL": mariadb_url}
    given = [sys.executable, "-m", "postrmagic_core.cli", "db", "check", "--app", "posters.worker:stack"]
    run(*given, directory=posters, **environment)


@pytest.mark.soak
@pytest.mark.parametrize("checker", [["mypy", "--cache-dir=/dev/null"], ["pyright", "--pythonpath", sys.executable]])
def test_a_type_checker_finds_nothing(checker: list[str], posters: Path) -> None:
    """Mypy by the project's own rules, strict; pyright by its defaults."""
    run(sys.executable, "-m", *checker, directory=posters)
