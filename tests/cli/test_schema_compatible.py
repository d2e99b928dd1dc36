"""`postrmagic db compatible` and `db upgrade --compatible`: before a deployment, and in continuous integration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect
from typer.testing import CliRunner, Result

from postrmagic_core.cli.schema import database as command
from postrmagic_core.database import DatabaseManager, Migrations
from postrmagic_core.errors import ConfigurationError, IncompatibleChange, SchemaMismatch
from tests.copies import copied
from tests.database.histories import written
from tests.database.judged import SHOP

GOOD = 'op.add_column("shops", sa.Column("street", sa.String(9)))'
BAD = 'op.drop_table("items")'


class Deployment:
    """A database at the revision ``shop``, and the code of the next release."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder}/var/app.db"
        self._folder = folder / "app"

    def code(self, **ups: str) -> Migrations:
        """The next release has these revisions beyond ``shop``."""
        return written(self._folder, {"shop": (SHOP, ""), **{name: (up, "") for name, up in ups.items()}})

    def run(self, *arguments: str) -> Result:
        """How the command ended, and what it said."""
        return CliRunner().invoke(command, arguments)

    def json(self, *arguments: str, status: int) -> Any:
        """What it tells programs."""
        done = self.run(*arguments, "--json")
        assert done.exit_code == status, done.output
        return json.loads(done.stdout)

    @property
    def tables(self) -> set[str]:
        """The application's, in the database."""
        with DatabaseManager(self.url) as database, database.read() as tx:
            return set(inspect(tx.connection).get_table_names()) & {"shops", "items", "carts"}


@pytest.fixture
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """The release that runs has made its tables."""
    (tmp_path / "var").mkdir()
    made = Deployment(tmp_path)
    history = made.code()

    def upgraded(database: DatabaseManager) -> None:
        database.migrations = history
        database.upgrade()

    copied(made.url, "shop", upgraded)
    monkeypatch.setenv("POSTRMAGIC_DATABASE__URL", made.url)
    monkeypatch.setenv("POSTRMAGIC_DATABASE__MIGRATIONS", str(tmp_path / "app"))
    monkeypatch.setenv("POSTRMAGIC_STACK__DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    return made


def test_what_is_pending_is_judged_against_the_database(deployment: Deployment) -> None:
    """Given revisions that are not applied, when asked, then each finding has its file, line, why and what to do."""
    deployment.code(good=GOOD, bad=f"{BAD}\nop.execute('UPDATE shops SET town = name')")
    done = deployment.run("compatible")
    assert done.exit_code == 1
    assert "refused app/versions/bad.py:11 table items is dropped [drop-table]" in done.output
    assert "why: the running release still reads and writes it" in done.output
    assert "instead: release code that does not use it" in done.output
    assert "rolled back: a downgrade makes the table again, empty" in done.output
    assert "note app/versions/bad.py:12 rows of shops are updated" in done.output
    assert "2 revisions of the application judged: the running release breaks on 1 of the lines above" in done.output
    assert deployment.tables == {"shops", "items"}


def test_programs_are_told_the_same(deployment: Deployment) -> None:
    """In JSON, with the exit status."""
    deployment.code(bad=BAD)
    told = deployment.json("compatible", status=1)
    assert (told["history"], told["compatible"], told["judged"]) == ("application", False, ["bad"])
    [finding] = told["findings"]
    assert (finding["file"], finding["line"], finding["rule"], finding["dialects"]) == (
        "app/versions/bad.py",
        11,
        "drop-table",
        ["sqlite"],
    )
    deployment.code(bad=GOOD)
    assert deployment.json("compatible", status=0)["findings"] == []


def test_what_a_revision_prints_does_not_come_between(deployment: Deployment) -> None:
    """Given a revision that prints, when a program asks, then the answer is JSON and nothing else."""
    deployment.code(loud=f"print('moving')\n{GOOD}")
    assert deployment.json("compatible", status=0)["judged"] == ["loud"]
    assert deployment.json("compatible", "--since", "shop", status=0)["judged"] == ["loud"]


def test_reasons_are_shown(deployment: Deployment) -> None:
    """Given a line that says why, when asked, then it passes and its reason is printed, as it is and as text alone."""
    deployment.code(bad=f"{BAD}  # compatible: [bold]nobody\x1b[31m used it")
    done = deployment.run("compatible")
    assert done.exit_code == 0
    assert "let through app/versions/bad.py:11 table items is dropped" in done.output
    assert "its reason: [bold]nobody\\x1b[31m used it" in done.output


def test_nothing_pending_is_compatible(deployment: Deployment) -> None:
    """The database is where the code is."""
    done = deployment.run("compatible")
    assert done.exit_code == 0
    assert done.output.startswith("nothing of the application to judge: none is pending")
    assert deployment.run("compatible", "--package").exit_code == 0


def test_continuous_integration_needs_no_database(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given the newest revision of the release that runs, when asked, then no database is opened, and both are told."""
    deployment.code(bad=BAD)
    monkeypatch.setenv("POSTRMAGIC_DATABASE__URL", "mysql://nobody@127.0.0.1:1/none")
    told = deployment.json("compatible", "--since", "shop", status=1)
    assert told["findings"][0]["dialects"] == ["sqlite", "mysql"]
    told = deployment.json("compatible", "--since", "shop", "--dialect", "mysql", status=1)
    assert told["findings"][0]["dialects"] == ["mysql"]
    assert "items is dropped [drop-table]" in deployment.run("compatible", "--since", "shop").output
    assert deployment.json("compatible", "--since", "bad", status=0)["judged"] == []
    assert deployment.json("compatible", "--since", "base", status=0)["judged"] == ["shop", "bad"]
    assert deployment.json("compatible", "--since", "base", "--each", status=1)["judged"] == ["shop", "bad"]
    told = deployment.json("compatible", "--package", "--since", "0122", status=0)
    assert told["history"] == "package"


def test_an_upgrade_that_is_to_be_compatible_runs_nothing_else(deployment: Deployment) -> None:
    """Given a good and a bad revision, when upgraded with --compatible, then not even the good one runs."""
    deployment.code(good='op.create_table("carts", sa.Column("id", sa.Integer))', bad=BAD)
    for arguments in ((), ("--sql",)):
        done = deployment.run("upgrade", "--compatible", *arguments)
        assert isinstance(done.exception, IncompatibleChange)
        assert "bad.py:11 table items is dropped" in str(done.exception)
        assert "DROP" not in done.stdout
    assert deployment.tables == {"shops", "items"}
    assert deployment.run("upgrade").exit_code == 0
    assert deployment.tables == {"shops", "carts"}


def test_an_upgrade_that_is_compatible_runs(deployment: Deployment) -> None:
    """Expansion passes, and an empty database has no release on it that could break."""
    deployment.code(good='op.create_table("carts", sa.Column("id", sa.Integer))')
    assert deployment.run("upgrade", "--compatible").exit_code == 0
    assert deployment.tables == {"shops", "items", "carts"}
    assert deployment.run("upgrade", "--compatible").output.strip() == "up to date already"


def test_an_empty_database_is_upgraded(deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given no tables at all, when upgraded with --compatible, then every revision runs, whatever it drops."""
    deployment.code(bad=BAD)
    monkeypatch.setenv("POSTRMAGIC_DATABASE__URL", f"sqlite:///{tmp_path}/var/new.db")
    assert deployment.run("upgrade", "--compatible").exit_code == 0
    deployment.url = f"sqlite:///{tmp_path}/var/new.db"
    assert deployment.tables == {"shops"}


def test_wrong_questions_are_answered(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """A revision that is not there, a dialect where the database knows its own, an application without migrations."""
    deployment.code(bad=BAD)
    assert isinstance(deployment.run("compatible", "--since", "nowhere").exception, ConfigurationError)
    done = deployment.run("compatible", "--dialect", "mysql")
    assert done.exit_code == 2
    assert "give --dialect and --each with --since" in done.output
    monkeypatch.delenv("POSTRMAGIC_DATABASE__MIGRATIONS")
    for arguments in ((), ("--since", "base")):
        exception = deployment.run("compatible", *arguments).exception
        assert isinstance(exception, ConfigurationError)
        assert "has no migrations" in str(exception)


def test_the_release_before_knows_that_it_can_stay(deployment: Deployment, tmp_path: Path) -> None:
    """Given a database that was expanded, when the code of before asks, then it may go on, and is to do nothing."""
    deployment.code(good=GOOD)
    assert deployment.run("upgrade", "--compatible").exit_code == 0
    (tmp_path / "app" / "versions" / "good.py").unlink()
    assert "newer, and usable by this code" in deployment.run("current").output
    assert "up to date already" in deployment.run("upgrade", "--compatible").output
    refused = deployment.run("upgrade")
    assert isinstance(refused.exception, SchemaMismatch)
    assert "newer than this code" in str(refused.exception)
