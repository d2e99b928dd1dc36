"""A process in which pages of the documentation are executed, each in a fork of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from postrmagic_core import Stack
from postrmagic_core.testing.capture import embedded_settings
from tests.docs.playing import ROOT, servers
from tests.programs import Ran

# What most pages import: imported once, since that takes longer than what most of them do.
_ROOMS = """stack cache.manager sessions.manager events.manager events.adapters.memory jobs.manager jobs.adapters.sql
jobs.embedded limits.manager log.manager log.search.manager stores.adapters.sql stores.adapters.sql_sqlite
stores.adapters.redis database.from_settings database.schema database.relay _sql.sqlite observability.manager
observability.alerts.from_settings observability.errors.tracker observability.experience.manager
observability.history.reading observability.metrics.hub observability.releases security.access security.manager
security.logins.manager security.access_tokens.manager flags.manager backups.figures validation.rules
middleware.errors middleware.sessions testing.waiting testing.capture"""
LOADED = ["tests.docs.given", "alembic.command", *(f"postrmagic_core.{name}" for name in _ROOMS.split())]
_FORKING = """
import gc, importlib, json, os, sys

for name in json.loads(sys.stdin.readline()):
    importlib.import_module(name)
gc.collect()
gc.freeze()  # so that a fork copies no page but those that it writes to
for line in iter(sys.stdin.readline, ""):
    folder, file, urls = json.loads(line)
    child = os.fork()
    if not child:
        os.chdir(folder)
        sys.path[:0] = [folder, sys.argv[1]]
        for number, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(f"{folder}.{name}", os.O_CREAT | os.O_WRONLY, 0o600), number)
        from tests.docs.playing import play

        play(file, urls)
        sys.stdout.flush()
        os._exit(0)  # an interpreter's ending costs as much as what most pages do
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the files of a Stack that was open once: its tables are made."""
    directory = tmp_path_factory.mktemp("migrated")
    with Stack(embedded_settings(directory), configure_logging=False):
        pass
    return directory


@pytest.fixture(scope="module")
def forking() -> Iterator[subprocess.Popen[str]]:
    """The process that forks; warnings are errors in it, and nothing that this one's environment says reaches it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("POSTRMAGIC_")}
    command = [sys.executable, "-W", "error", "-c", _FORKING, str(ROOT)]
    with subprocess.Popen(
        command, env=environment, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        process.stdin.write(json.dumps(LOADED) + "\n")
        yield process
        process.stdin.close()


@pytest.fixture
def played(
    request: pytest.FixtureRequest, tmp_path: Path, migrated: Path, forking: subprocess.Popen[str]
) -> Callable[[Path], Ran]:
    """``played(page)`` executes a page in a folder where a Stack was open once, and says how it ended."""
    assert forking.stdin is not None
    assert forking.stdout is not None
    tell, hear = forking.stdin, forking.stdout

    def play(page: Path) -> Ran:
        folder = tmp_path / page.stem
        shutil.copytree(migrated, folder / "var")
        urls = {kind: request.getfixturevalue(f"{kind}_url") for kind in servers(page)}
        tell.write(json.dumps([str(folder), str(page), urls]) + "\n")
        tell.flush()
        code = int(hear.readline())
        return Ran(code, *(Path(f"{folder}.{name}").read_text(encoding="utf-8") for name in ("stdout", "stderr")))

    return play
