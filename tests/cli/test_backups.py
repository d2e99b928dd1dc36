"""`postrmagic db backup` and its like, from settings alone: also when everything but the vault and the key is gone."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer
from typer.testing import CliRunner, Result

from postrmagic_core.backups.tables import runs
from postrmagic_core.cache import CacheManager
from postrmagic_core.cli import backups as commands
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import PostrMagicError
from postrmagic_core.stack import Stack
from postrmagic_core.testing.servers import MariaDBServer
from tests.copies import packaged

KEY = "a key of the tests, of 32 characters or more"
CANARY = "canary-5ecret"
COUNT = "SELECT count(*) FROM notes"

command = typer.Typer()
for each in ("backup", "backups", "restore", "verify_backup", "drill", "prune"):
    command.command()(getattr(commands, each))


class Machine:
    """A directory with an application's data, its vault and its settings; commands are given in it."""

    def __init__(self, directory: Path, url: str) -> None:
        self.directory = directory
        self.url = url
        self.vault = directory / "vault"
        self.media = directory / "media"

    def run(self, *arguments: str, answer: str | None = None) -> Result:
        """How a command ended, and what it said."""
        return CliRunner().invoke(command, [*arguments], input=answer)

    def said(self, *arguments: str, status: int = 0) -> str:
        """What a command says that ends so."""
        done = self.run(*arguments)
        assert done.exit_code == status, (done.output, done.exception)
        return re.sub(r"\s+", " ", done.output)

    def json(self, *arguments: str, status: int = 0) -> Any:
        """What it answers programs."""
        done = self.run(*arguments, "--json")
        assert done.exit_code == status, (done.output, done.exception)
        return json.loads(done.stdout)

    @property
    def rows(self) -> int:
        """How many notes the database has."""
        with DatabaseManager(self.url) as database, database.read() as tx:
            return int(tx.connection.exec_driver_sql(COUNT).scalar() or 0)

    def add(self, number: int = 1) -> None:
        """So many more notes."""
        with DatabaseManager(self.url) as database, database.write() as tx:
            for _ in range(number):
                tx.connection.exec_driver_sql("INSERT INTO notes (text) VALUES ('a note')")


def furnish(machine: Machine, patch: pytest.MonkeyPatch) -> None:
    """Give it the package's tables, three notes, two files, and settings."""
    packaged(machine.url)
    kind = "INTEGER PRIMARY KEY" if machine.url.startswith("sqlite") else "INT AUTO_INCREMENT PRIMARY KEY"
    with DatabaseManager(machine.url) as database, database.write() as tx:
        tx.connection.exec_driver_sql(f"CREATE TABLE notes (id {kind}, text VARCHAR(100))")
    machine.add(3)
    (machine.media / "deep").mkdir(parents=True)
    (machine.media / "one.jpeg").write_bytes(b"first")
    (machine.media / "deep" / "two.jpeg").write_bytes(b"second" * 1000)
    patch.chdir(machine.directory)
    patch.setenv("COLUMNS", "200")
    for name, value in {
        "STACK__DATA_DIR": str(machine.directory / "var"),
        "DATABASE__URL": machine.url,
        "BACKUPS__URL": f"file://{machine.vault}",
        "BACKUPS__FILES": json.dumps({"media": str(machine.media)}),
        "BACKUPS__KEYS": json.dumps([KEY]),
    }.items():
        patch.setenv(f"POSTRMAGIC_{name}", value)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """On a SQLite file."""
    (tmp_path / "var").mkdir()
    made = Machine(tmp_path, f"sqlite:///{tmp_path}/var/app.db")
    furnish(made, monkeypatch)
    return made


@pytest.fixture
def on_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mariadb_server: MariaDBServer) -> Iterator[Machine]:
    """On MariaDB, with a user of its own and a password."""
    url = mariadb_server.create_database()
    parts = urlsplit(url)
    user = f"u_{parts.path[3:13]}"
    with DatabaseManager(mariadb_server.url) as database, database.write() as tx:
        for statement in (
            f"CREATE USER {user}@'127.0.0.1' IDENTIFIED BY '{CANARY}'",
            f"GRANT ALL ON `{parts.path[1:]}`.* TO {user}@'127.0.0.1'",
            f"GRANT ALL ON `{parts.path[1:]}\\_drill\\_%`.* TO {user}@'127.0.0.1'",
        ):
            tx.connection.exec_driver_sql(statement.replace("%", "%%"))
    (tmp_path / "var").mkdir()
    made = Machine(tmp_path, parts._replace(netloc=f"{user}:{CANARY}@127.0.0.1:{parts.port}").geturl())
    furnish(made, monkeypatch)
    yield made
    with DatabaseManager(mariadb_server.url) as database, database.write() as tx:
        tx.connection.exec_driver_sql(f"DROP USER {user}@'127.0.0.1'")
    mariadb_server.drop_database(url)


def test_a_backup_is_taken_and_listed(machine: Machine) -> None:
    """Its name, what is in it, how large it is; and that the vault is on the disk that it should be safe from."""
    told = machine.said("backup", "--note", "before the move")
    (path,) = machine.vault.iterdir()
    assert path.name in told
    assert "2 files" in told
    assert "is on the disk that" in told
    assert "warning: " in told
    listed = machine.said("backups")
    assert path.name in listed
    (one,) = machine.json("backups")
    assert (one["name"], one["size"]) == (path.name, path.stat().st_size)
    assert 0 <= one["age"] < 3600
    with DatabaseManager(machine.url) as database, database.read() as tx:
        assert tx.execute(runs.select()).one().outcome == "done"


def test_a_backup_answers_programs(machine: Machine) -> None:
    """With the same facts, and what went for it."""
    found = machine.json("backup")
    assert found["tables"] > 20
    assert found["rows"] >= 3
    assert (found["files"], found["removed"]) == (2, [])
    assert found["name"].endswith(f"{found['name'][-15:-7]}.backup")
    assert len(found["warnings"]) == 1
    assert machine.json("backup", "--no-files")["files"] == 0


def test_directories_that_were_forgotten_are_told(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the backup before has files that this one has not; once, and not where they were left out on purpose."""
    first = machine.json("backup")["name"]
    assert "and this backup has not" not in machine.said("backup", "--no-files")
    (machine.vault / machine.json("backups")[0]["name"]).unlink()
    monkeypatch.delenv("POSTRMAGIC_BACKUPS__FILES")
    told = f"{first} has the files of media, and this backup has not: give --app"
    assert told in machine.said("backup")
    assert told in machine.said("restore", status=2)
    assert told not in machine.said("backup")
    assert "has no files" in str(machine.run("restore", "--only-files").exception)


def test_where_there_is_none_it_says_how_to_take_one(machine: Machine) -> None:
    """In a list it is no error; to use one it is."""
    assert "take one with `postrmagic db backup`" in machine.said("backups")
    assert machine.json("backups") == []
    for arguments in (["restore"], ["verify-backup"], ["restore", "postrmagic-20200101T000000Z-00000000.backup"]):
        done = machine.run(*arguments)
        assert isinstance(done.exception, PostrMagicError)
        assert done.exception.code == "backup.not_found"
    assert "backup.not_found" in machine.said("drill", status=1)


def test_a_lost_machine_comes_back(machine: Machine) -> None:
    """The settings, the key and the vault are enough: nothing is asked, since nothing is there."""
    machine.said("backup")
    shutil.rmtree(machine.directory / "var")
    shutil.rmtree(machine.media)
    told = machine.said("restore")
    assert "there is nothing that would be replaced" in told
    assert "2 new" in told
    assert "restored: " in told
    assert "the cache is cleared" in told
    assert "postrmagic db upgrade" in told
    assert machine.rows == 3
    assert (machine.media / "deep" / "two.jpeg").read_bytes() == b"second" * 1000
    assert machine.json("drill")["good"]


def test_nothing_is_replaced_without_a_yes(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody can be asked it ends with 2; a no with 1; then it is as it was."""
    machine.said("backup")
    machine.add(4)
    (machine.media / "one.jpeg").write_bytes(b"changed")
    (machine.media / "new.jpeg").write_bytes(b"new")
    told = machine.said("restore", status=2)
    assert "say --yes" in told
    assert "replaces everything that is there" in told
    assert re.search(r"notes . 7 . 3 ", told)
    assert "0 new, 1 replaced, 1 the same already" in told
    assert "1 file(s) there that the backup does not have stay" in told
    monkeypatch.setattr("postrmagic_core.cli.backups._somebody_is_there", lambda: True)
    for answer in ("n\n", "\n"):
        done = machine.run("restore", answer=answer)
        assert done.exit_code == 1, done.output
        assert "nothing was changed" in done.output
    assert machine.rows == 7
    assert (machine.media / "one.jpeg").read_bytes() == b"changed"
    assert machine.run("restore", answer="y\n").exit_code == 0
    assert machine.rows == 3


def test_what_would_be_lost_is_told_first(machine: Machine) -> None:
    """How old the backup is, the application's tables before the package's, and whether what is there is kept."""
    machine.said("backup")
    machine.add()
    for _ in range(3):
        machine.said("backup", "--no-prune")
    oldest = machine.json("backups")[-1]["name"]
    told = machine.said("restore", oldest, status=2)
    assert re.search(r"UTC \(\d+s ago\)", told)
    assert "what was written since the backup is lost" in told
    assert "as app.db.replaced-" in told
    assert told.index(" notes ") < told.index(" pm_backup_runs ")


def test_what_is_no_database_is_not_replaced_unasked_either(machine: Machine) -> None:
    """It has no tables to count, and is somebody's nevertheless; a directory is left alone altogether."""
    machine.said("backup")
    other = machine.directory / "thesis.pdf"
    other.write_bytes(b"years of work")
    told = machine.said("restore", "--no-files", "--to", f"sqlite:///{other}", status=2)
    assert "it cannot be read as a database" in told
    assert other.read_bytes() == b"years of work"
    told = str(machine.run("restore", "--yes", "--no-files", "--to", f"sqlite:///{machine.media}").exception)
    assert "is no file" in told
    assert (machine.media / "one.jpeg").exists()


def test_with_a_yes_it_is_as_it_was(machine: Machine) -> None:
    """What stood there stays beside it; files that the backup does not have stay."""
    machine.said("backup")
    machine.add(4)
    (machine.media / "one.jpeg").write_bytes(b"changed")
    (machine.media / "new.jpeg").write_bytes(b"new")
    machine.said("restore", "--yes", "latest")
    assert machine.rows == 3
    assert (machine.media / "one.jpeg").read_bytes() == b"first"
    assert (machine.media / "new.jpeg").read_bytes() == b"new"
    (kept,) = (machine.directory / "var").glob("app.db.replaced-*")
    with closing(sqlite3.connect(kept)) as connection:
        assert connection.execute(COUNT).fetchone() == (7,)


def test_the_cache_is_emptied(machine: Machine) -> None:
    """What was computed from rows that are gone is not served any more; a restore beside leaves it alone."""
    machine.said("backup")
    stack = Stack.from_env()
    with closing(stack.store(stack.settings.cache)) as store, CacheManager(store) as cache:
        cache.set("page", "of before", ttl=3600)
        machine.said("restore", "--no-files", "--to", f"sqlite:///{machine.directory}/beside.db")
        assert cache.get("page") == "of before"
        machine.said("restore", "--yes")
        assert cache.get("page") is None


def test_parts_can_be_restored_elsewhere(machine: Machine) -> None:
    """The database beside, to copy rows back from; files in another place; neither touches what runs."""
    machine.said("backup")
    machine.add()
    beside = machine.directory / "beside.db"
    told = machine.said("restore", "--to", f"sqlite:///{beside}", "--no-files")
    assert str(beside) in told
    assert "the cache" not in told
    with closing(sqlite3.connect(beside)) as connection:
        assert connection.execute(COUNT).fetchone() == (3,)
    machine.said("restore", "--only-files", "--files", f"media={machine.directory}/elsewhere")
    assert (machine.directory / "elsewhere" / "one.jpeg").read_bytes() == b"first"
    assert machine.rows == 4


@pytest.mark.parametrize(
    "arguments",
    [
        ["--no-files", "--only-files"],
        ["--no-files", "--files", "media=x"],
        ["--only-files", "--to", "sqlite:////x"],
        ["--files", "media"],
        ["--files", "=x"],
    ],
)
def test_what_contradicts_itself_is_a_usage_error(machine: Machine, arguments: list[str]) -> None:
    """It ends with 2 before anything is read."""
    assert machine.run("restore", *arguments).exit_code == 2


def test_a_directory_that_nobody_named_is_refused(machine: Machine) -> None:
    """Of the backup's: by its settings nobody knows where it goes."""
    machine.said("backup")
    os.environ["POSTRMAGIC_BACKUPS__FILES"] = "{}"
    done = machine.run("restore", "--yes")
    assert isinstance(done.exception, PostrMagicError)
    assert "--files" in str(done.exception)
    done = machine.run("restore", "--yes", "--files", "other=x")
    assert isinstance(done.exception, PostrMagicError)


def test_a_database_in_use_is_refused(machine: Machine) -> None:
    """Before anything is replaced, the files included."""
    machine.said("backup")
    (machine.media / "one.jpeg").write_bytes(b"changed")
    with DatabaseManager(machine.url) as database, database.read() as tx:
        tx.connection.exec_driver_sql(COUNT)
        done = machine.run("restore", "--yes")
        assert isinstance(done.exception, PostrMagicError)
        assert done.exception.code == "backup.restore_refused"
    assert (machine.media / "one.jpeg").read_bytes() == b"changed"


def test_a_cache_that_is_away_is_a_warning(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The restore is done; it says what the cache still holds, and what to do."""
    machine.said("backup")
    monkeypatch.setenv("POSTRMAGIC_CACHE__URL", "redis://127.0.0.1:1/0")
    told = machine.said("restore", "--yes")
    assert "restored: " in told
    assert "the cache was not cleared" in told
    assert "POSTRMAGIC_CACHE__NAMESPACE" in told


def test_a_damaged_backup_is_named(machine: Machine) -> None:
    """By verify-backup, each of several; the others are whole."""
    machine.said("backup")
    (bad,) = machine.vault.iterdir()
    machine.said("backup")
    assert "whole, every byte" in machine.said("verify-backup")
    content = bad.read_bytes()
    bad.chmod(0o600)
    bad.write_bytes(content[:200] + bytes([content[200] ^ 4]) + content[201:])
    told = machine.said("verify-backup", "--all", status=1)
    assert f"{bad.name}: backup.damaged: " in told
    assert "whole, every byte" in told
    found = {one["name"]: one for one in machine.json("verify-backup", "--all", status=1)}
    assert [one["whole"] for name, one in found.items() if name != bad.name] == [True]
    assert found[bad.name]["code"] == "backup.damaged"


def test_a_wrong_key_says_so(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not that the backup is damaged; the key itself is nowhere in it."""
    machine.said("backup")
    other = "another key of the tests, as long as that"
    monkeypatch.setenv("POSTRMAGIC_BACKUPS__KEYS", json.dumps([other]))
    told = machine.said("verify-backup", status=1)
    assert "backup.key_unknown" in told
    assert other not in told
    monkeypatch.setenv("POSTRMAGIC_BACKUPS__KEYS", json.dumps([other, KEY]))
    assert "whole" in machine.said("verify-backup")


def test_a_drill_is_told(machine: Machine) -> None:
    """What was restored, how long it took; kept, where it is; and it is noted."""
    name = machine.json("backup")["name"]
    told = machine.said("drill")
    assert "it restores: everything is as it was backed up" in told
    assert "of which restoring took" in told
    found = machine.json("drill", name, "--keep", "kept")
    assert (found["good"], found["files"], found["faults"]) == (True, 2, [])
    assert (machine.directory / "kept" / "files" / "media" / "one.jpeg").is_file()
    assert machine.json("drill", "--no-files")["good"]
    with DatabaseManager(machine.url) as database, database.read() as tx:
        assert [row.outcome for row in tx.execute(runs.select().where(runs.c.kind == "drill"))] == ["done"] * 3


def test_what_is_no_longer_kept_goes(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a new one is whole, or when told so; a dry run removes nothing."""
    for name in ("LAST", "DAILY", "WEEKLY", "MONTHLY"):
        monkeypatch.setenv(f"POSTRMAGIC_BACKUPS__KEEP_{name}", "1" if name == "LAST" else "0")
    first = machine.json("backup")["name"]
    old = first.replace(first[11:19], "20200101")
    shutil.copy(machine.vault / first, machine.vault / old)
    assert f"would remove: {old}" in machine.said("prune", "--dry-run")
    assert (machine.vault / old).exists()
    assert f"removed: {old}" in machine.said("prune")
    assert "nothing to remove" in machine.said("prune")
    shutil.copy(machine.vault / first, machine.vault / old)
    assert machine.json("backup", "--no-prune")["removed"] == []
    assert old in machine.json("backup")["removed"]


@pytest.mark.parametrize("name", ["../var/app.db", "/etc/passwd", "", ".", "a\0b", "x" * 5000, "\x1b[31m.backup"])
def test_a_hostile_name_names_no_file(machine: Machine, name: str) -> None:
    """Outside the vault nothing is read, and no terminal is painted."""
    machine.said("backup")
    for each in ("restore", "verify-backup", "drill"):
        done = machine.run(each, name)
        assert done.exit_code != 0
        assert not isinstance(done.exception, OSError | ValueError | AttributeError), done.exception
        assert "\x1b" not in done.output


def test_texts_of_a_backup_do_not_paint_the_terminal(machine: Machine) -> None:
    """A note and a table's name are what somebody chose."""
    with DatabaseManager(machine.url) as database, database.write() as tx:
        tx.connection.exec_driver_sql('CREATE TABLE "\x1b]0;owned\x07[red]" (a INTEGER)')
        tx.connection.exec_driver_sql('INSERT INTO "\x1b]0;owned\x07[red]" VALUES (1)')
    machine.said("backup", "--note", "\x1b[2J[bold]boo")
    with DatabaseManager(machine.url) as database, database.write() as tx:
        tx.connection.exec_driver_sql('DELETE FROM "\x1b]0;owned\x07[red]"')
    told = machine.said("restore", "--yes")
    assert "\x1b" not in told
    assert "[bold]boo" in told
    assert "owned" in told


@pytest.mark.soak
def test_a_killed_restore_goes_on(machine: Machine) -> None:
    """By kill -9 at any moment; given again, the command ends whole, and the backup is as good as before."""
    machine.add(200)
    for number in range(300):
        (machine.media / f"{number}.bin").write_bytes(os.urandom(20_000))
    machine.said("backup")
    shutil.rmtree(machine.media)
    (machine.directory / "var" / "app.db").unlink()
    arguments = [sys.executable, "-c", "import typer; from tests.cli.test_backups import command; command()"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    for number in range(12):
        process = subprocess.Popen([*arguments, "restore", "--yes"], env=environment, stdout=subprocess.DEVNULL)
        try:
            process.wait(0.4 + 0.12 * number)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
    machine.said("restore", "--yes")
    assert machine.rows == 203
    assert len(list(machine.media.glob("*.bin"))) == 300
    assert machine.json("drill")["good"]
    assert not [path for path in machine.media.rglob("*") if path.name.startswith(".")]


@pytest.mark.mysql
def test_a_server_s_database_comes_back(on_server: Machine) -> None:
    """Backed up, drilled, lost, restored; the password is nowhere in what is said."""
    machine = on_server
    said = machine.said("backup")
    said += machine.said("drill")
    machine.add(4)
    said += machine.said("restore", status=2)
    said += machine.said("restore", "--yes")
    assert machine.rows == 3
    assert CANARY not in said


@pytest.mark.mysql
def test_a_kind_that_does_not_fit_is_refused(on_server: Machine) -> None:
    """It names the command that moves a database."""
    on_server.said("backup")
    done = on_server.run("restore", "--no-files", "--to", f"sqlite:///{on_server.directory}/new.db")
    assert isinstance(done.exception, PostrMagicError)
    assert "postrmagic db transfer" in str(done.exception)
    assert not (on_server.directory / "new.db").exists()
