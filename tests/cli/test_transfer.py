"""``postrmagic db transfer`` as its guide shows it; and passwords, statuses, JSON and refusals, which it does not."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from postrmagic_core.cli.app import _needed
from postrmagic_core.cli.transfer import transfer, with_password
from postrmagic_core.database.transfer.planfile.file import write_plan
from postrmagic_core.errors import ConfigurationError, PlanRefused, PostrMagicError
from tests.database.transfer.plans import PLAN

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "move-from-sqlite-to-mysql.md"
URL = "mysql://shop@127.0.0.1:3306/shop"
PROGRAM, FROM_CODE = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder of its own, without settings or a password; signals as they were."""
    for name in [name for name in os.environ if name.startswith("POSTRMAGIC_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("MYSQL_PWD", raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def shop() -> None:
    """The database of the guide."""
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=60)


def mend() -> None:
    """Give the order of nobody to somebody."""
    with closing(sqlite3.connect("shop.db")) as connection, connection:
        connection.execute("UPDATE orders SET customer = 2 WHERE id = 3")


def accept(path: str = "plan.toml") -> None:
    """Decide for all that is to be decided."""
    plan = Path(path)
    plan.write_text(plan.read_text().replace("accept = false", "accept = true"))


def run(*arguments: str, status: int = 0) -> Result:
    """How a command of the group ended, with this status."""
    done = CliRunner().invoke(transfer, arguments)
    assert done.exit_code == status, done.output
    return done


def refused(*arguments: str) -> PostrMagicError:
    """The error of ours by which a command ended."""
    done = CliRunner().invoke(transfer, arguments)
    assert isinstance(done.exception, PostrMagicError), done.output
    return done.exception


def told(*arguments: str, status: int = 0) -> Any:
    """What it answers programs."""
    return json.loads(run(*arguments, "--json", status=status).stdout)


def normal(text: str) -> str:
    """Without what differs from one machine and moment to the next."""
    text = re.sub(r"\S*\.shop\.db\.[0-9a-f]+\.snapshot", "SNAPSHOT", text)
    text = re.sub(r"mariadb \d\S+", "mariadb VERSION", text)
    text = re.sub(r"[\d,]+ rows/s", "RATE", re.sub(r"\d+\.\d+", "0.0", text))
    return "\n".join(re.sub(r" +", " ", re.sub(r"[━─]+", "━", line)).strip() for line in text.splitlines())


@pytest.mark.mysql
def test_the_guide_shows_what_the_commands_say(mariadb_url: str) -> None:
    """Word by word, in its order; at its end the lines for Python."""
    blocks = re.findall(r"^```console\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    parts = [part for block in blocks for part in re.split(r"^\$ ", block, flags=re.MULTILINE) if part]
    assert len(parts) >= 9
    Path("shop.py").write_text(PROGRAM)
    for line, _, answer in (part.partition("\n") for part in parts):
        if not line.startswith("postrmagic"):
            subprocess.run([sys.executable if word == "python" else word for word in shlex.split(line)], check=True)
            continue
        words = shlex.split(line.replace(URL, mariadb_url))[3:]
        if words[0] == "finish":
            code = FROM_CODE.replace("mysql://shop:secret@127.0.0.1:3306/shop", mariadb_url)
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
            assert done.stdout == "0 True\n"
        output = CliRunner().invoke(transfer, words).output
        assert not answer or (line, normal(output)) == (line, normal(answer)), output


@pytest.mark.mysql
@pytest.mark.usefixtures("shop")
def test_the_status_says_how_a_plan_stands(mariadb_url: str) -> None:
    """4 with rows that cannot move, 3 with something to decide, 0 when it can run."""
    first = told("plan", "shop.db", mariadb_url, status=4)
    assert [one["severity"] for one in first["findings"]] == ["stop", "decide"]
    mend()
    assert told("plan", "sqlite:///shop.db", mariadb_url, "--replace", status=3)["status"] == 3
    accept()
    last = told("plan", "shop.db", mariadb_url, "--replace")
    assert (last["plan"], last["tables"][1]) == ("plan.toml", {"name": "orders", "target": "orders", "rows": 3})
    assert [one["accepted"] for one in last["findings"]] == [True]
    assert Path("plan.toml.old").exists()


@pytest.mark.mysql
@pytest.mark.usefixtures("shop")
def test_a_difference_is_told_and_is_a_status(mariadb_url: str) -> None:
    """Table, key, column and both values; in JSON and in the signed report too, which is for its owner alone."""
    mend()
    run("plan", "shop.db", mariadb_url, "--html", "plan.html", "--markdown", "plan.md", status=3)
    accept()
    assert told("run", "plan.toml")["tables"][0]["moved"] == 2
    with closing(sqlite3.connect("shop.db")) as connection, connection:
        connection.execute("UPDATE orders SET total = 2.56 WHERE id = 3")
    run("verify", "plan.toml")
    shown = run("verify", "plan.toml", "--live", "--report", "report.json", status=1).stdout
    assert "changed: orders.total, row 3: 2.56 in the source, 2.55 in the target" in shown
    assert "orders: 1 row changed, 0 missing, 0 surplus" in shown
    assert not told("verify", "plan.toml", "--live", status=1)["equal"]
    assert not json.loads(Path("report.json").read_text())["report"]["equal"]
    for name in ("plan.toml", "plan.html", "plan.md", "report.json"):
        assert stat.S_IMODE(Path(name).stat().st_mode) == 0o600
    assert run("finish", "plan.toml").stdout.endswith(".snapshot\n")
    assert run("finish", "plan.toml").stdout == "there is no snapshot by this plan\n"
    assert told("reverse", mariadb_url, "back.db", "--table", "customers")["rows"] == 2


@pytest.mark.mysql
@pytest.mark.usefixtures("shop")
def test_a_rehearsal_shows_the_statements(mariadb_url: str) -> None:
    """And a plan that is undecided is not even rehearsed."""
    mend()
    run("plan", "shop.db", mariadb_url, status=3)
    assert isinstance(refused("run", "plan.toml", "--dry-run"), PlanRefused)
    accept()
    shown = run("run", "plan.toml", "--dry-run", "--table", "customers").stdout
    assert "CREATE TABLE IF NOT EXISTS `customers` (\n" in shown
    assert "orders" not in shown
    assert [one["rows"] for one in told("run", "plan.toml", "--dry-run")["tables"]] == [2, 3]


def test_a_plan_that_is_there_is_not_written_over() -> None:
    """Somebody may have corrected it for an hour."""
    write_plan(PLAN, Path("plan.toml"))
    error = refused("plan", "shop.db", URL)
    assert isinstance(error, ConfigurationError)
    assert "plan.toml exists" in str(error)
    assert "there is no SQLite file shop.db" in str(refused("plan", "shop.db", URL, "--replace"))
    assert "expected mysql://" in str(refused("run", "plan.toml", "--target", "not a url"))


@pytest.mark.parametrize(
    ("url", "variable", "full"),
    [
        ("mysql://shop@host/db", "p@ss/word", "mysql://shop:p%40ss%2Fword@host/db"),
        ("mysql://shop:own@host/db", "other", "mysql://shop:own@host/db"),
        ("mysql://shop@host/db", None, "mysql://shop@host/db"),
    ],
)
def test_the_password_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, url: str, variable: str | None, full: str
) -> None:
    """Unless the URL has one; without a terminal nobody is asked."""
    if variable is not None:
        monkeypatch.setenv("MYSQL_PWD", variable)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert with_password(url) == full


def test_on_a_terminal_the_password_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hidden, and none is an answer."""
    asked: list[dict[str, object]] = []

    def answer(text: str, **options: object) -> str:
        asked.append({"text": text} | options)
        return "secret"

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.prompt", answer)
    assert with_password("mysql://shop@host/db") == "mysql://shop:secret@host/db"
    assert (asked[0]["text"], asked[0]["hide_input"]) == ("Password of shop@host (empty for none)", True)


def test_a_command_loads_its_own_group_alone() -> None:
    """What it stands in and what stands in it; all of them for help, and for what there is not."""
    assert _needed(["db", "transfer", "run", "plan.toml"]) == ["db", "db transfer"]
    assert _needed(["db", "backup", "--json"]) == ["db", "db backup"]
    assert {"db analyze", "db pool", "db backup", "db transfer"} < set(_needed(["db", "upgrade"]))
    assert _needed(["jobs", "list"]) == ["jobs"]
    assert len(_needed([])) == len(_needed(["--help"])) == len(_needed(["dbx"])) > 10
