"""The page that goes from nothing to tests: its files, copied as they stand, are an application whose tests pass."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from postrmagic_core.testing.servers import MariaDBServer, RedisServer
from tests.docs.consoles import Console
from tests.docs.playing import ROOT, blocks
from tests.programs import run

PAGE = ROOT / "docs" / "how-to" / "test-your-application.md"
LOADED = ["pytest", "fastapi.testclient", "alembic.command"]
LOADED += [f"postrmagic_core.{name}" for name in ("stack", "cache.manager", "sessions.manager", "jobs.worker")]
LOADED += [
    f"postrmagic_core.{name}" for name in ("database.relay", "stores.adapters.sql_sqlite", "observability.manager")
]
EMBEDDED = """
import sys
import pytest
sys.path.insert(0, "")
options = ["-q", "-W", "error", "-p", "no:cacheprovider", "-p", "postrmagic_core.testing.pytest_plugin"]
sys.exit(pytest.main([*options, *{arguments!r}]))
"""


def kept(folder: Path) -> None:
    """Write each file of the page; one that goes on is added to what stands there."""
    for block in blocks(PAGE, "python"):
        first, _, text = block.text.partition("\n")
        named = re.fullmatch(r"# ([\w/]+\.py)(, going on)?", first)
        assert named is not None, f"line {block.line} names no file"
        file = folder / named[1]
        file.parent.mkdir(exist_ok=True)
        before = file.read_text(encoding="utf-8") + "\n\n" if named[2] is not None else ""
        file.write_text(before + text, encoding="utf-8")


QUICK = "at_once or rolled_back or a_worker or logs_in or statement"


@pytest.mark.parametrize(
    "chosen", [pytest.param(QUICK, id="quick"), pytest.param("", marks=pytest.mark.soak, id="all")]
)
def test_its_tests_pass_on_files(chosen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that need no server, as its last command runs them; all of them in the slow proofs."""
    folder = tmp_path / "application"
    folder.mkdir()
    kept(folder)
    (_, embedded) = commands()[-2:]
    assert embedded.startswith("python -m pytest -q ")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (ran,) = run([(folder, EMBEDDED.format(arguments=[*embedded.split()[4:], "-k", chosen]))], LOADED)
    tests = sum(len(re.findall(r"^def test_", file.read_text(), re.MULTILINE)) for file in folder.glob("test_*.py"))
    assert ran.code == 0, ran.stdout
    assert f"{5 if chosen else tests} passed" in ran.stdout
    assert "skipped" not in ran.stdout


def commands() -> list[str]:
    """What is typed on the page."""
    return [line[2:] for block in blocks(PAGE, "console") for line in block.text.splitlines()]


def test_what_it_installs_is_there_to_be_installed() -> None:
    """Each extra of its first command is one of this package."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    named = re.search(r"postrmagic-core\[([\w,]+)\]", commands()[0])
    assert named is not None
    assert set(named[1].split(",")) <= extras.keys()


@pytest.mark.soak
@pytest.mark.mysql
@pytest.mark.redis
def test_its_tests_pass_on_servers(tmp_path: Path, mariadb_server: MariaDBServer, redis_server: RedisServer) -> None:
    """All of them by its first command, on MariaDB and Redis too, and with a server that is taken away."""
    kept(tmp_path)
    urls = {"MARIADB": mariadb_server.url, "REDIS": redis_server.create_database()}
    variables = {f"POSTRMAGIC_TEST_{name}_URL": url for name, url in urls.items()}
    console = Console(tmp_path, PYTEST_PLUGINS="postrmagic_core.testing.pytest_plugin", **variables)
    done = console.type(commands()[-2])
    assert done.status == 0, done.stdout
    assert "skipped" not in done.stdout


@pytest.mark.parametrize(
    ("file", "line", "fault", "red"),
    [
        ("library.py", 'invalidate("posters", tx=tx)', 'capture(["posters"])', "test_a_poster_is_listed_at_once"),
        (
            "library.py",
            "tx=tx)\n            self.stack.cache",
            "detached=True)\n            self.stack.cache",
            "rolled_back",
        ),
        ("library.py", "len(title.split())", "len(title)", "test_a_worker_counts_them"),
        ("library.py", "fresh=60", "fresh=90", "test_titles_are_served_for_a_minute"),
        ("web.py", "csrf(), ", "", "test_another_site_adds_none"),
    ],
)
@pytest.mark.soak
def test_a_fault_in_the_application_turns_its_test_red(
    file: str, line: str, fault: str, red: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the page's tests are shown for, they find."""
    folder = tmp_path / "application"
    folder.mkdir()
    kept(folder)
    text = (folder / file).read_text(encoding="utf-8")
    assert text.count(line) == 1
    (folder / file).write_text(text.replace(line, fault), encoding="utf-8")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (ran,) = run([(folder, EMBEDDED.format(arguments=["--ignore", "on_servers"]))], LOADED)
    assert ran.code == 1, ran.stdout
    assert re.search(rf"^FAILED .*{red}", ran.stdout, re.MULTILINE), ran.stdout
