"""A revision that is judged reaches nothing: no database, no file, no process, whatever it tries and hides."""

from __future__ import annotations

import hashlib
import sqlite3
import sys
import threading
from pathlib import Path

import pytest
from alembic import op
from sqlalchemy import create_engine, text
from sqlalchemy.pool import StaticPool

from postrmagic_core.database import DatabaseManager
from postrmagic_core.database.compatibility.apart import Reached, apart
from postrmagic_core.database.compatibility.compatible import judge
from postrmagic_core.database.migrating.interface import Migrations
from postrmagic_core.errors import ConfigurationError
from tests.database.histories import written
from tests.database.judged import SHOP, Shop, shop  # noqa: F401 - pytest looks for fixtures here

# Each is tried with the path of a database that is there in PATH.
REACHING = {
    "a connection of its own": 'import sqlite3\nsqlite3.connect(PATH).execute("DROP TABLE items")',
    "an engine of its own": 'sa.create_engine("sqlite:///" + PATH).connect().exec_driver_sql("DROP TABLE items")',
    "a server": 'import socket\nsocket.create_connection(("127.0.0.1", 9), timeout=1)',
    "a process": 'import subprocess\nsubprocess.run(["rm", PATH], check=True)',
    "a shell": 'import os\nos.system("rm " + PATH)',
    "a file": 'open(PATH, "r+b").truncate()',
    "a path": "from pathlib import Path\nPath(PATH).unlink()",
    "a link": "import os\nos.symlink(PATH, PATH + '.link')",
    "an event loop": "import asyncio, os\nasync def do():\n    os.remove(PATH)\nasyncio.run(do())",
    "another name for it": "import os\nos.rename(PATH, PATH + '.old')",
}
HIDDEN = "try:\n    {up}\nexcept Exception:\n    pass"


@pytest.fixture
def real(tmp_path: Path) -> Path:
    """A database with a table and a row."""
    path = tmp_path / "real.db"
    connection = sqlite3.connect(path)
    connection.executescript("CREATE TABLE items (id INTEGER); INSERT INTO items VALUES (1)")
    connection.close()
    return path


def digest(path: Path) -> str:
    """Of the file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("hidden", [False, True], ids=["open", "hidden"])
@pytest.mark.parametrize("what", REACHING)
def test_whatever_a_revision_tries_is_stopped_and_told(shop: Shop, real: Path, what: str, hidden: bool) -> None:  # noqa: F811 - the fixture imported
    """Given a revision that goes past Alembic, when judged, then nothing happens, and nothing is hidden."""
    before = digest(real)
    up = REACHING[what].replace("PATH", repr(str(real)))
    judgement = shop.judge(HIDDEN.format(up=up.replace("\n", "\n    ")) if hidden else up)
    assert digest(real) == before
    assert list(real.parent.glob("real*")) == [real]
    assert not judgement.compatible
    assert {one.rule.name for one in judgement.findings} == {"reaches-out"} | (set() if hidden else {"stopped"})


def test_a_connection_that_is_open_already_is_kept_from_it_too(tmp_path: Path) -> None:
    """Given the application's engine with an open connection, when a revision uses it, then nothing is executed."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE items (id INTEGER)"))
    told: list[str] = []
    with apart(told.append), engine.connect() as connection, pytest.raises(Reached):
        connection.execute(text("DROP TABLE items"))
    assert told == ["a statement on a connection of its own"]
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT COUNT(*) FROM items")) == 0
    engine.dispose()


def test_other_threads_go_on_meanwhile(tmp_path: Path) -> None:
    """Given work that is kept apart, when another thread opens a database, then it may; and afterwards this one may."""
    path, opened = tmp_path / "other.db", []

    def work() -> None:
        sqlite3.connect(path).close()
        opened.append(path.exists())

    thread = threading.Thread(target=work, daemon=True)
    with apart(lambda what: None):
        with pytest.raises(Reached):
            sqlite3.connect(path)
        thread.start()
        thread.join(10)
    assert opened == [True]
    sqlite3.connect(path).close()


def test_what_python_compiles_it_may_keep(
    shop: Shop,  # noqa: F811 - the fixture imported
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Given a Python that keeps what it compiled, as it does by default, when a revision is judged, then it is."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    assert shop.rules('op.drop_column("shops", "town")') == ["drop-column"]
    assert list(tmp_path.rglob("__pycache__/*.pyc"))


def test_a_revision_may_read_files(shop: Shop, tmp_path: Path) -> None:  # noqa: F811 - the fixture imported
    """Given SQL beside the revisions, when judged, then it is read and judged."""
    (tmp_path / "change.sql").write_text("ALTER TABLE shops DROP COLUMN town")
    assert shop.rules(f"from pathlib import Path\nop.execute(Path({str(tmp_path / 'change.sql')!r}).read_text())") == [
        "drop-column"
    ]


@pytest.mark.parametrize(
    "up",
    [
        'op.get_bind().execute(sa.text("DROP TABLE items"))',
        'op.get_bind().exec_driver_sql("DROP TABLE items")',
        'op.get_context().execute("DROP TABLE items")',
        'op.get_context().impl.execute("DROP TABLE items")',
        'op.get_context().connection.execute(sa.text("DROP TABLE items"))',
        'op.get_context().impl.drop_table(sa.Table("items", sa.MetaData()))',
        'with op.get_context().autocommit_block():\n    op.execute("DROP TABLE items")',
        'if not op.get_context().opts.get("as_sql"):\n    op.drop_table("items")',
    ],
)
def test_ways_past_the_operations_are_judged_as_sql(shop: Shop, up: str) -> None:  # noqa: F811 - the fixture imported
    """The connection, the context, Alembic's inside: it is the statement that counts."""
    assert shop.rules(up) == ["drop-table"]


@pytest.mark.parametrize(
    "up",
    [
        'if op.get_bind().scalar(sa.text("SELECT 1")):\n    op.drop_table("items")',
        'if op.get_bind().scalar(sa.text("SELECT 1")) is None:\n    op.drop_table("items")',
        'for row in op.get_bind().execute(sa.text("SELECT 1")):\n    op.drop_table("items")',
        'try:\n    list(op.get_bind().execute(sa.text("SELECT 1")))\nexcept Exception:\n    pass',
        'if sa.inspect(op.get_bind()).has_table("x"):\n    op.drop_table("items")',
        "with op.get_bind().begin_nested():\n    pass",
        'if op.get_bind().dialect.is_mariadb:\n    op.drop_table("items")',
        'if op.get_context().dialect.server_version_info:\n    op.drop_table("items")',
        "op.run_async(lambda connection: None)",
        "from alembic import context\nif context.is_offline_mode():\n    pass",
        "import sys\nsys.exit()",
        "raise KeyError",
        "1 / 0",
        "def deep():\n    deep()\ndeep()",
        'op.invoke(type("Own", (__import__("alembic").operations.ops.MigrateOperation,), {})())',
        "op.execute(7)",
        'op.alter_column("shops")',
        "op.nothing_such()",
    ],
)
def test_what_cannot_be_told_is_refused(shop: Shop, up: str) -> None:  # noqa: F811 - the fixture imported
    """Given a revision whose doing depends on what it finds, or that falls, when judged, then it is not let through."""
    judgement = shop.judge(up)
    assert not judgement.compatible
    assert {finding.rule.verdict for finding in judgement.findings} == {"untold"}


def test_reading_a_module_reaches_nothing_either(tmp_path: Path, real: Path) -> None:
    """Given a revision that connects while it is imported, when judged, then it is refused and nothing was changed."""
    before = digest(real)
    history = written(tmp_path / "app", {"shop": (SHOP, "")})
    file = history.versions / "shop.py"
    file.write_text(f"import sqlite3\nsqlite3.connect({str(real)!r}).execute('DELETE FROM items')\n{file.read_text()}")
    with pytest.raises(ConfigurationError, match="reaches nothing"):
        judge(history, ["base"])
    assert digest(real) == before


def test_judging_leaves_alembic_as_it_was(shop: Shop) -> None:  # noqa: F811 - the fixture imported
    """Given a judgement, even of what stops, when it is over, then `alembic.op` stands for what it did before.

    That is nothing, or a migration that failed: Alembic does not take it away.
    """
    before = vars(op).get("_proxy")
    shop.judge("raise KeyError")
    assert vars(op).get("_proxy") is before


def test_a_judged_revision_still_runs(tmp_path: Path) -> None:
    """Given revisions that were judged, when the database is upgraded in the same process, then they do their work."""
    history: Migrations = written(tmp_path / "app", {"shop": (SHOP, ""), "r1": ('op.drop_table("items")', "")})
    (tmp_path / "var").mkdir()
    with DatabaseManager(f"sqlite:///{tmp_path}/var/app.db", migrations=history) as database:
        assert not judge(history, ["shop"]).compatible
        database.upgrade()
        with database.read() as tx:
            names = tx.scalars(text("SELECT name FROM sqlite_master WHERE name IN ('shops', 'items')")).all()
    assert names == ["shops"]
