"""The command line: help that helps, errors of one sentence, children that do not outlive their parent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import httpx
import pytest

from postrmagic_core.testing.servers import free_port
from tests.commands import run


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_help_lists_every_command() -> None:
    """What there is to run, each with a sentence."""
    shown = run("--help").stdout
    for command in ("plugins", "settings", "dev", "worker", "db", "outbox", "cache", "jobs"):
        assert f" {command} " in shown


def test_plugins_lists_what_is_built_in() -> None:
    """Kind, scheme, origin and state."""
    shown = run("plugins").stdout
    assert "redis" in shown
    assert "built in" in shown
    told = {(one["kind"], one["scheme"]): one for one in json.loads(run("plugins", "--json").stdout)}
    assert (told["store", "memory"]["origin"], told["store", "memory"]["state"]) == ("built in", "usable")


def test_plugins_names_the_extra_to_install() -> None:
    """Its brackets reach the reader; here as somebody sees them who has no driver."""
    hidden = "import sys; sys.modules['pymysql'] = None; from postrmagic_core.cli import main; main()"
    command = [sys.executable, "-c", hidden, "plugins"]
    wide = os.environ | {"COLUMNS": "250", "TERM": "dumb"}
    shown = subprocess.run(command, env=wide, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "pip install 'postrmagic-core[mysql]'" in shown


def test_settings_shows_values_and_masks_secrets() -> None:
    """The table may be pasted into a ticket."""
    given = {
        "POSTRMAGIC_CACHE__URL": "redis://:hunter2@h/0",
        "POSTRMAGIC_JOBS__THREADS": "9",
        "POSTRMAGIC_MIDDLEWARE__OPTIONS": '{"compression": {"api_key": "hunter2", "url": "https://u:hunter2@h/"}}',
        "POSTRMAGIC_OBSERVABILITY__CHANNELS": '{"team": "https://hooks.example.org/hunter2"}',
    }
    shown = run("settings", environment=given).stdout
    assert "POSTRMAGIC_JOBS__THREADS" in shown
    told = run("settings", "--json", environment=given).stdout
    assert "hunter2" not in shown + told
    values = {one["variable"]: one["value"] for one in json.loads(told)}
    assert (values["POSTRMAGIC_JOBS__THREADS"], values["POSTRMAGIC_EVENTS__URL"]) == (9, None)
    assert all(f" {variable} " in shown for variable in values)


def test_wrong_settings_are_one_message_and_status_one() -> None:
    """No traceback: every problem, and nothing else."""
    finished = run("settings", environment={"POSTRMAGIC_JOBS__THREADS": "many", "POSTRMAGIC_CAHCE__URL": "x"})
    assert finished.status == 1
    assert "jobs.threads" in finished.stderr
    assert "POSTRMAGIC_CAHCE__URL" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_db_upgrade_creates_the_tables_and_may_be_repeated(tmp_path: Path) -> None:
    """The second run says that there was nothing to do."""
    assert run("db", "upgrade").stdout.strip().endswith("upgraded")
    assert (tmp_path / "var" / "app.db").exists()
    assert run("db", "upgrade").stdout.strip().endswith("up to date already")


def test_worker_needs_a_stack_that_exists() -> None:
    """A typing mistake is one sentence."""
    finished = run("worker", "--app", "nowhere:stack")
    assert finished.status == 1
    assert "nowhere" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_worker_refuses_a_stack_that_runs_its_own(tmp_path: Path) -> None:
    """Said once and at once, not by every child again and again."""
    (tmp_path / "own.py").write_text("from postrmagic_core.stack import Stack\nstack = Stack.from_env()\n")
    finished = run("worker", "--app", "own:stack", environment={"POSTRMAGIC_JOBS__WORKER": "embedded"})
    assert finished.status == 1
    assert "POSTRMAGIC_JOBS__WORKER=separate" in finished.stderr
    assert "Traceback" not in finished.stderr


APPLICATION = """
    from contextlib import asynccontextmanager
    from postrmagic_core.stack import Stack
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    stack = Stack.from_env()

    @asynccontextmanager
    async def lifespan(_):
        async with stack:
            yield

    async def home(request):
        return PlainTextResponse("well")

    app = Starlette(routes=[Route("/", home)], lifespan=lifespan)
"""


def children_of(pid: int) -> set[int]:
    """The living processes below one."""
    below: set[int] = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            child = int(path.parent.name)
            below |= {child} | children_of(child)
    return below


def test_dev_serves_until_interrupted_and_leaves_nobody_behind(tmp_path: Path) -> None:
    """A web process and a worker come up together and end together, within their grace."""
    (tmp_path / "small.py").write_text(textwrap.dedent(APPLICATION))
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "postrmagic_core.cli",
        "dev",
        "small:app",
        "--app",
        "small:stack",
        "--port",
        str(port),
    ]
    with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(tmp_path)}) as parent:
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    if httpx.get(f"http://127.0.0.1:{port}/", timeout=5).text == "well":
                        break
                except httpx.TransportError:
                    assert time.monotonic() < deadline, "the application did not come up"
                    assert parent.poll() is None, "dev ended by itself"
                    time.sleep(0.1)
            family = children_of(parent.pid)
            assert len(family) >= 2
        finally:
            parent.send_signal(signal.SIGTERM)
            status = parent.wait(30)
    assert status == 0
    assert not {pid for pid in family if Path(f"/proc/{pid}").exists()}
