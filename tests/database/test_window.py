"""`postrmagic db pool`: what other processes tell of their pools, and to whom."""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import tempfile
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from postrmagic_core._work import working
from postrmagic_core.cli.pool import pool
from postrmagic_core.cli.schema import database as group
from postrmagic_core.database import DatabaseManager
from postrmagic_core.database.window import look
from postrmagic_core.testing import spawn

ONE = text("SELECT 1")


@pytest.fixture
def room(short_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary directory of this test's processes."""
    path = short_directory
    monkeypatch.setattr(tempfile, "tempdir", str(path))
    monkeypatch.setenv("TMPDIR", str(path))
    return path


def hold(url: str) -> None:
    """A process that holds a connection until it is killed."""
    with DatabaseManager(url) as database, working("GET /held"), database.read() as tx:
        tx.execute(ONE)
        print("held", flush=True)  # noqa: T201 - tells the test
        signal.pause()


def test_another_process_tells_who_holds_its_connections(room: Path, tmp_path: Path) -> None:
    """As long as it lives; killed, it leaves nothing that is taken for a process."""
    url = f"sqlite:///{tmp_path / 'app.db'}"
    with DatabaseManager(url) as mine, spawn(hold, url) as child:
        child.line()
        [report] = look(mine.database_id)
        [told] = [told for told in report.pools if told.pool.role == "read"]
        assert report.pid == child.pid
        assert told.pool.in_use == 1
        assert told.pool.holders[0].work == "GET /held"
        assert Path(__file__).name in told.pool.holders[0].line
        child.kill()
        child.wait()
        assert look(mine.database_id) == []


def test_another_database_is_not_shown(room: Path, tmp_path: Path) -> None:
    """A machine runs more than one application."""
    with DatabaseManager(f"sqlite:///{tmp_path / 'other.db'}") as other, other.read():
        assert look("sqlite:/elsewhere.db") == []
        assert [report.pid for report in look(other.database_id)] == [os.getpid()]
    assert look(other.database_id) == []


def test_what_killed_processes_left_is_swept_by_the_next_one(room: Path, tmp_path: Path) -> None:
    """Whatever their database."""
    url = f"sqlite:///{tmp_path / 'app.db'}"
    with spawn(hold, url) as child:
        child.line()
        child.kill()
        child.wait()
    [left] = room.glob("*/*.sock")
    with DatabaseManager(f"sqlite:///{tmp_path / 'other.db'}") as other, other.read():
        assert not left.exists()


def test_a_directory_that_others_can_write_is_not_used(room: Path, tmp_path: Path) -> None:
    """Somebody else may have made it to be told, or to lie: the process works on without a window."""
    directory = room / f"postrmagic-{os.getuid()}"
    directory.mkdir(mode=0o777)
    directory.chmod(0o777)
    with DatabaseManager(f"sqlite:///{tmp_path / 'app.db'}") as database:
        with database.read() as tx:
            assert tx.scalar(ONE) == 1
        assert list(directory.iterdir()) == []
        with pytest.raises(PermissionError, match="of this user alone"):
            look(database.database_id)


def test_a_temporary_directory_with_too_long_a_name_costs_the_window_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket's path ends at 107 bytes; no descriptor is left behind."""
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with DatabaseManager(f"sqlite:///{tmp_path / 'app.db'}") as database, database.read() as tx:
        assert tx.scalar(ONE) == 1
        assert look(database.database_id) == []
    gc.collect()


def test_a_socket_that_says_nonsense_or_nothing_is_passed_over(room: Path, tmp_path: Path) -> None:
    """An answer is no reason to break."""
    with DatabaseManager(f"sqlite:///{tmp_path / 'app.db'}") as database, database.read():
        [real] = room.glob("*/*.sock")
        name, pid, _ = real.name.split("-")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
            silent.bind(str(real.with_name(f"{name}-{pid}-0.sock")))
            assert len(look(database.database_id)) == 1


def test_the_command_shows_it_once_as_table_or_json(
    room: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And says so when there is nobody."""
    monkeypatch.chdir(tmp_path)
    url = f"sqlite:///{tmp_path / 'app.db'}"
    monkeypatch.setenv("POSTRMAGIC_DATABASE__URL", url)
    monkeypatch.setenv("COLUMNS", "200")
    command = CliRunner()
    if not any(registered.callback is pool for registered in group.registered_commands):
        group.command()(pool)
    nobody = command.invoke(group, ["pool", "--once"])
    assert nobody.exit_code == 1
    assert "no process of this user" in nobody.output
    with DatabaseManager(url) as database, working("job thumbnails 7"), database.read():
        shown = command.invoke(group, ["pool", "--once"])
        told = json.loads(command.invoke(group, ["pool", "--json"]).output)
    assert shown.exit_code == 0
    assert "job thumbnails 7" in shown.output
    assert told[0]["pools"][-1]["pool"]["holders"][0]["work"] == "job thumbnails 7"
