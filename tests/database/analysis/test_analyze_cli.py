"""``postrmagic db analyze`` as one runs it: the log, the table, the page, the JSON, and what is said without a log."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy import text
from typer.testing import CliRunner, Result

from postrmagic_core.cli.analyze import analyze
from postrmagic_core.database import DatabaseManager, QueryLogOptions
from postrmagic_core.database.analysis.files import Publisher
from postrmagic_core.database.analysis.interface import Caller, QueryLogFile, QueryStats

HOSTILE = 'SELECT "</code><script>alert(1)</script>" FROM media WHERE title = ? \x1b[31m\u202e'


@pytest.fixture
def logged(url: str, tmp_path: Path) -> Path:
    """A directory with the log of a slow list, asked by an application; one statement in it is hostile."""
    directory = tmp_path / "queries"
    with DatabaseManager(url, queries=QueryLogOptions(directory=directory)) as database:
        with database.write() as tx:
            tx.execute(
                text("CREATE TABLE media (id INTEGER PRIMARY KEY, user_id INTEGER, created_us INTEGER, title TEXT)")
            )
            tx.execute(
                text("INSERT INTO media VALUES (:id, :user, :at, :title)"),
                [
                    {"id": number, "user": number % 3, "at": number * 31 % 10_007, "title": "title"}
                    for number in range(1, 10_001)
                ],
            )
        with database.read() as tx:
            for user in range(3):
                tx.execute(
                    text("SELECT title FROM media WHERE user_id = :user ORDER BY created_us DESC LIMIT 20"),
                    {"user": user},
                ).all()
        stats = QueryStats("f" * 16, HOSTILE, 1, 0, 0.1, 0.1, (0,) * 9 + (1,) + (0,) * 5, 1, (Caller("<b>", 1),))
        file = QueryLogFile(database.dialect, database.database_id, 1, 1, 2, (stats,))
        Publisher(directory, 10.0, lambda: None).write(file)
        os.rename(next(directory.glob("*.json")), directory / f"1-{'a' * 16}.json")  # noqa: PTH104 - a second process's file
    return directory


Command = Callable[..., Result]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """Runs it in an empty folder and in this process, with further settings; errors are raised as they are."""
    for name in [name for name in os.environ if name.startswith("POSTRMAGIC_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    alone = typer.Typer()
    alone.command()(analyze)

    def run(*arguments: str, **settings: str) -> Result:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        return CliRunner().invoke(alone, arguments, catch_exceptions=False)

    before = signal.getsignal(signal.SIGTERM)
    yield run
    signal.signal(signal.SIGTERM, before)


class Page(HTMLParser):
    """The tags of a page, and what they ask for."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "action", "srcset"}]


def test_the_slow_list_gets_its_index(url: str, logged: Path, tmp_path: Path, command: Command) -> None:
    """From the application's log to the index: a table, JSON, and a page that runs nothing and loads nothing."""
    page = tmp_path / "r.html"
    done = command("--url", url, "--log", str(logged), "--html", str(page))
    assert done.exit_code == 0, done.stderr
    assert "op.create_index('ix_media_user_id_created_us'" in done.stdout
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout
    found: Any = json.loads(command("--url", url, "--log", str(logged), "--json").stdout)
    assert (found["version"], found["verified"]) == (1, True)
    (proposal,) = found["proposals"]
    assert proposal["columns"][:2] == ["user_id", "created_us"]
    assert proposal["effects"][0]["speedup"] >= 1.3
    read = Page(page.read_text(encoding="utf-8"))
    assert "script" not in read.tags
    assert "svg" in read.tags
    assert all(address.startswith("#") for address in read.addresses)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.read_text(encoding="utf-8")
    assert not re.search(r"url\(|@import|https?://", page.read_text(encoding="utf-8"))


def test_json_alone_is_on_standard_output(url: str, logged: Path, tmp_path: Path, command: Command) -> None:
    """Instead of tables; where the page is stands on standard error."""
    page = tmp_path / "r.html"
    done = command("--url", url, "--log", str(logged), "--json", "--no-verify", "--html", str(page))
    found: Any = json.loads(done.stdout)
    assert (found["verified"], found["proposals"]) == (False, [])
    assert found["candidates"]
    assert "written: " in done.stderr
    assert "Where the time goes" in page.read_text(encoding="utf-8")
    assert "Where the time goes" not in done.stderr


def test_settings_say_where_everything_is(logged: Path, url: str, tmp_path: Path, command: Command) -> None:
    """The data directory's logs and the configured database, without an option."""
    done = command("--no-verify", POSTRMAGIC_STACK__DATA_DIR=str(tmp_path), POSTRMAGIC_DATABASE__URL=url)
    assert done.exit_code == 0, done.stderr
    assert "not tried: op.create_index(" in done.stdout


def test_without_a_log_it_says_how_to_get_one(tmp_path: Path, command: Command) -> None:
    """One sentence, exit status 1, and no database file made."""
    done = command()
    assert (done.exit_code, done.stdout) == (1, "")
    assert "Let the application do some work with its query log on" in done.stderr
    assert not list(tmp_path.rglob("*.db"))


def test_a_log_of_another_database_is_named(logged: Path, tmp_path: Path, command: Command) -> None:
    """It is not mixed in; the error says of which database the logs are."""
    done = command("--log", str(logged), "--url", f"sqlite:///{tmp_path / 'other.db'}")
    assert done.exit_code == 1
    assert "the logs there are of " in done.stderr


def test_without_the_extra_it_is_named(tmp_path: Path) -> None:
    """In a process of its own: the whole name, brackets included, reaches the terminal."""
    url, directory = f"sqlite:///{tmp_path / 'app.db'}", tmp_path / "queries"
    with DatabaseManager(url, queries=QueryLogOptions(directory=directory)) as database, database.read() as tx:
        tx.execute(text("SELECT 1 FROM sqlite_master"))
    (tmp_path / "sqlglot.py").write_text("raise ModuleNotFoundError('sqlglot')")
    done = subprocess.run(
        [sys.executable, "-m", "postrmagic_core.cli", "db", "analyze", "--url", url, "--log", str(directory)],
        cwd=tmp_path,
        env=os.environ | {"COLUMNS": "200", "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "pip install 'postrmagic-core[analysis]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_how_to_runs(tmp_path: Path) -> None:
    """Its blocks, copied into a file in an empty folder: statements with count and line, then what was analysed."""
    page = Path(__file__).parents[3] / "docs" / "how-to" / "find-a-slow-query.md"
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (tmp_path / "shown.py").write_text("\n".join([*blocks, "print(len(report.statements), report.verified)"]))
    arguments = [sys.executable, "-W", "error", "shown.py"]
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    asked = [line for line in done.stdout.splitlines() if "SELECT name FROM posters WHERE id = ?" in line]
    assert len(asked) == 2
    assert asked[0].startswith("3 ")
    assert "shown.py:" in asked[0]
    assert done.stdout.splitlines()[-1] == "4 True"
