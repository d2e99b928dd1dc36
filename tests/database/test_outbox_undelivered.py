"""What an operator sees of the outbox, and does about it: by function, and by command."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from sqlalchemy import insert, select, update
from typer.testing import CliRunner, Result

from postrmagic_core import _codec
from postrmagic_core._clock import from_us
from postrmagic_core.cli.outbox import outbox as command
from postrmagic_core.database import DatabaseManager, OutboxRow, Unit, policy, undelivered
from postrmagic_core.database.tables import outbox as outbox_table
from postrmagic_core.database.tables import outbox_keys
from postrmagic_core.errors import SchemaMismatch, UsageError
from postrmagic_core.testing import FakeClock

DAY_US = 86_400_000_000


@pytest.fixture
def clocked(
    open_database: Callable[..., DatabaseManager], outbox: DatabaseManager, frozen_clock: FakeClock
) -> DatabaseManager:
    """The database under a clock that moves when told."""
    return open_database(clock=frozen_clock)


def stage(database: DatabaseManager, *payloads: bytes, key: str | None = None, topic: str = "mail") -> None:
    """Commit rows."""
    with database.write() as tx:
        for payload in payloads:
            tx.stage(topic, payload, key=key)


def bury(database: DatabaseManager, clock: FakeClock, *payloads: bytes, key: str | None = None) -> None:
    """Rows whose one attempt, the last, has failed."""

    def refuse(tx: Unit, row: OutboxRow) -> None:
        raise OSError

    stage(database, *payloads, key=key)
    relay = database.relay({"mail": refuse})
    with mock.patch.object(policy, "next_due_us", return_value=None):
        for _ in payloads if key else payloads[:1]:
            relay.run_once()
    clock.advance(1)


def delivered(database: DatabaseManager) -> list[bytes]:
    """Everything that a relay delivers now."""
    found: list[bytes] = []
    relay = database.relay({"mail": lambda tx, row: found.append(row.payload)})
    while relay.run_once():
        pass
    return found


def ids(database: DatabaseManager) -> list[int]:
    """Numbers of all rows."""
    with database.read() as tx:
        return [entry.id for entry in undelivered.entries(tx)]


def test_rows_are_listed_with_their_state(clocked: DatabaseManager, frozen_clock: FakeClock) -> None:
    """Waiting, delayed or dead; filtered by topic, key and state; the payload only by its size."""
    bury(clocked, frozen_clock, b"12345")
    stage(clocked, b"", key="k", topic="other")
    with clocked.write() as tx:
        tx.stage("mail", b"", due_us=tx.now_us + DAY_US)
    with clocked.read() as tx:
        dead, keyed, later = undelivered.entries(tx)
        assert [entry.state for entry in (dead, keyed, later)] == ["dead", "waiting", "delayed"]
        assert (dead.topic, dead.attempts, dead.error, dead.size) == ("mail", 1, "OSError", 5)
        assert (keyed.key, keyed.due_at) == ("k", keyed.created_at)
        assert (later.due_at - later.created_at).days == 1
        assert undelivered.entries(tx, state="dead") == [dead]
        assert undelivered.entries(tx, state="delayed", topic="mail") == [later]
        assert undelivered.entries(tx, state="waiting", key="k", topic="other") == [keyed]
        assert undelivered.entries(tx, limit=2) == [dead, keyed]
        assert undelivered.entry(tx, dead.id) == dead
        assert undelivered.payload(tx, dead.id) == b"12345"
        assert (undelivered.entry(tx, 99), undelivered.payload(tx, 99)) == (None, None)


def test_a_dead_row_gets_all_its_attempts_again(clocked: DatabaseManager, frozen_clock: FakeClock) -> None:
    """By number, by topic, or all; others, and rows that are not dead, are left alone."""
    bury(clocked, frozen_clock, b"1", b"2")
    first, second = ids(clocked)
    assert clocked.transact(undelivered.retry, ids=[first]) == 1
    assert clocked.transact(undelivered.retry, ids=[first, 99]) == 0
    assert clocked.transact(undelivered.retry, topic="other") == 0
    with clocked.read() as tx:
        entry = undelivered.entry(tx, first)
        assert entry is not None
        assert (entry.state, entry.attempts, entry.error) == ("waiting", 0, None)
        assert [row.id for row in undelivered.entries(tx, state="dead")] == [second]
    assert delivered(clocked) == [b"1"]
    assert asyncio.run(clocked.aio.transact(undelivered.retry, topic="mail")) == 1
    assert delivered(clocked) == [b"2"]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"ids": []},
        {"ids": [1], "everything": True},
        {"topic": "mail", "everything": True},
        {"ids": [1], "topic": "x"},
    ],
    ids=str,
)
def test_retry_is_told_which_rows(clocked: DatabaseManager, frozen_clock: FakeClock, asked: dict[str, Any]) -> None:
    """Ids, a topic or everything, and exactly one of them: no ids are not all of them."""
    bury(clocked, frozen_clock, b"1")
    with pytest.raises(UsageError, match="everything=True"):
        clocked.transact(undelivered.retry, **asked)
    with clocked.read() as tx:
        assert len(undelivered.entries(tx, state="dead")) == 1


def test_a_dead_row_with_a_key_goes_to_the_end_of_its_key(clocked: DatabaseManager, frozen_clock: FakeClock) -> None:
    """Those behind it may have passed it already: it comes late, after what waits, and in the order of the dead."""
    bury(clocked, frozen_clock, b"dead 1", b"dead 2", key="k")
    bury(clocked, frozen_clock, b"alone", key="gone")
    stage(clocked, b"waiting", key="k")
    assert clocked.transact(undelivered.retry, everything=True) == 3
    stage(clocked, b"new", key="k")
    found = delivered(clocked)
    assert [payload for payload in found if payload != b"alone"] == [b"waiting", b"dead 1", b"dead 2", b"new"]
    assert b"alone" in found
    with clocked.read() as tx:
        assert tx.scalars(select(outbox_keys.c.okey)).all() == []


def test_only_old_dead_rows_are_purged(clocked: DatabaseManager, frozen_clock: FakeClock) -> None:
    """By the time they were staged and by topic, a piece at a time."""
    bury(clocked, frozen_clock, b"1", b"2", b"3")
    old = from_us(frozen_clock.now_us())
    bury(clocked, frozen_clock, b"young")
    stage(clocked, b"waiting")
    with clocked.write() as tx:
        tx.execute(update(outbox_table).where(outbox_table.c.payload == b"waiting").values(created_us=0))
    assert clocked.transact(undelivered.purge, old, topic="other") == 0
    with clocked.read() as tx:
        assert undelivered.count_purgeable(tx, old) == 3
    assert clocked.transact(undelivered.purge, old, limit=2) == 2
    assert clocked.transact(undelivered.purge, old, limit=2) == 1
    with clocked.read() as tx:
        assert set(tx.scalars(select(outbox_table.c.payload))) == {b"young", b"waiting"}


def test_a_key_goes_on_without_waiting_rows_that_were_purged(clocked: DatabaseManager, frozen_clock: FakeClock) -> None:
    """Deleting what holds up a key frees what is behind it, and a key without rows is forgotten."""
    with clocked.write() as tx:
        tx.stage("unknown", b"", key="k")
        tx.stage("unknown", b"", key="empty")
    stage(clocked, b"behind", key="k")
    assert delivered(clocked) == []
    before = from_us(frozen_clock.now_us() + 1)
    assert clocked.transact(undelivered.purge, before, topic="unknown") == 0
    assert clocked.transact(undelivered.purge, before, topic="unknown", waiting=True) == 2
    assert delivered(clocked) == [b"behind"]
    with clocked.read() as tx:
        assert tx.scalars(select(outbox_keys.c.okey)).all() == []


def test_a_key_without_rows_is_forgotten_by_the_relay(clocked: DatabaseManager) -> None:
    """Somebody deleted rows by hand: the key is not looked at for ever."""
    with clocked.write() as tx:
        tx.execute(insert(outbox_keys).values(okey="k", last_seq=1, topic="mail", due_us=0))
    assert delivered(clocked) == []
    with clocked.read() as tx:
        assert tx.scalars(select(outbox_keys.c.okey)).all() == []


Call = Callable[..., Result]


@pytest.fixture
def call(database_url: str, outbox: DatabaseManager, monkeypatch: pytest.MonkeyPatch) -> Call:
    """The command over the configured database."""
    monkeypatch.setenv("POSTRMAGIC_DATABASE__URL", database_url)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(DatabaseManager, "schema_current", lambda _: True)  # the fixture's tables have no version
    return lambda *arguments, answer=None: CliRunner().invoke(command, arguments, input=answer)


def read(result: Result) -> Any:
    """What was printed as JSON."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def kill_all(database: DatabaseManager) -> None:
    """Give up every row."""
    with database.write() as tx:
        tx.execute(update(outbox_table).values(dead=1, seq=None, error="backend.unavailable"))


def test_the_command_lists_rows(outbox: DatabaseManager, call: Call) -> None:
    """As a table, or as JSON; what an application chose as a key cannot steer the terminal."""
    stage(outbox, b"12345", key="[red]k\x1b[31m")
    (entry,) = read(call("list", "--json"))
    assert (entry["topic"], entry["state"], entry["size"], entry["attempts"]) == ("mail", "waiting", 5, 0)
    assert read(call("list", "--state", "dead", "--json")) == []
    shown = call("list").stdout
    assert "[red]k\\x1b[31m" in shown
    assert "now" in shown
    assert "\x1b[31m" not in shown


def test_the_command_shows_a_row_and_its_content_only_when_asked(outbox: DatabaseManager, call: Call) -> None:
    """Payloads may be confidential; decoded where they are this package's."""
    stage(outbox, _codec.encode(["canary", {"n": 1}]), b"\xffcanary")
    first, second = ids(outbox)
    assert "canary" not in call("show", str(first)).output
    assert read(call("show", str(first), "--payload", "--json"))["payload"] == "['canary', {'n': 1}]"
    foreign = call("show", str(second), "--payload")
    assert "not in this package's encoding" in foreign.stdout
    assert "canary" not in foreign.stdout
    assert isinstance(call("show", "99").exception, UsageError)


def test_the_command_retries_what_it_is_told(outbox: DatabaseManager, call: Call) -> None:
    """Numbers, a topic or --all, and exactly one of them; a row that is not dead is refused by name."""
    stage(outbox, b"1", b"2", b"3", b"4")
    first, second, *_ = ids(outbox)
    assert "waiting, not dead" in str(call("retry", str(first)).exception)
    kill_all(outbox)
    assert read(call("retry", str(first), "--json")) == {"retried": 1}
    assert "not in the outbox" in str(call("retry", str(second), "99").exception)
    assert read(call("retry", "--topic", "other", "--json")) == {"retried": 0}
    assert [call(*wrong).exit_code for wrong in (["retry"], ["retry", "--all", "--topic", "mail"])] == [2, 2]
    assert "3 rows will be delivered" in call("retry", "--all").stdout
    assert outbox.outbox_counts()["mail"].waiting == 4


def test_the_command_asks_before_it_deletes(outbox: DatabaseManager, call: Call) -> None:
    """No answer is no; waiting rows only when named, and the question says that they are lost."""
    stage(outbox, b"1", b"2")
    kill_all(outbox)
    stage(outbox, b"waiting")
    assert read(call("purge", "--older-than", "1d", "--json")) == {"deleted": 0}
    refused = call("purge", "--older-than", "0s", answer="n\n")
    assert (refused.exit_code, call("purge", "--older-than", "0s").exit_code) == (1, 1)
    assert "Delete 2 rows (dead for good)?" in refused.output
    assert len(ids(outbox)) == 3
    assert "2 rows deleted" in call("purge", "--older-than", "0s", answer="y\n").stdout
    assert "never to be delivered" in call("purge", "--older-than", "0s", "--waiting", answer="n\n").output
    assert read(call("purge", "--older-than", "0s", "--waiting", "--yes", "--json")) == {"deleted": 1}
    assert ids(outbox) == []


@pytest.mark.parametrize("wrong", ["7", "d", "7w", "-1d", "1.5h", ""])
def test_a_duration_without_sense_is_a_usage_error(wrong: str) -> None:
    """Said with an example, before anything is opened."""
    result = CliRunner().invoke(command, ["purge", f"--older-than={wrong}"])
    assert result.exit_code == 2
    assert "12h" in result.output


def test_without_the_tables_the_command_says_what_to_run(
    database: DatabaseManager, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence, not a driver's error."""
    monkeypatch.setenv("POSTRMAGIC_DATABASE__URL", database_url)
    error = CliRunner().invoke(command, ["list"]).exception
    assert isinstance(error, SchemaMismatch)
    assert "postrmagic db upgrade" in str(error)


def test_the_command_is_part_of_the_command_line(tmp_path: os.PathLike[str]) -> None:
    """Our errors are one line and status 1; nothing of the application is loaded."""
    environment = os.environ | {"POSTRMAGIC_DATABASE__URL": f"sqlite:///{tmp_path}/app.db", "COLUMNS": "200"}
    finished = subprocess.run(
        [sys.executable, "-m", "postrmagic_core.cli", "outbox", "list"],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert finished.returncode == 1
    assert "postrmagic db upgrade" in finished.stderr
    assert "Traceback" not in finished.stderr


PRELUDE = """
import sys
from types import SimpleNamespace
from sqlalchemy import Column, Integer, MetaData, Table
from postrmagic_core.database import DatabaseManager

metadata = MetaData()
sent = Table("sent", metadata, Column("message", Integer, primary_key=True))
smtp = SimpleNamespace(send=lambda body, message_id: print(body, message_id))
db = DatabaseManager(sys.argv[1]).open()
db.upgrade()
with db.write() as tx:
    metadata.create_all(tx.connection)
    tx.stage("mail", b"Gala is up")
"""


def test_the_how_to_runs(tmp_path: Path) -> None:
    """Its blocks, one after the other, with what they leave to the application."""
    page = (Path(__file__).parents[2] / "docs/how-to/work-with-the-outbox.md").read_text(encoding="utf-8")
    route, functions = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "shown.py").write_text(PRELUDE + route + "assert relay.run_once() == 1\n" + functions + "db.close()\n")
    finished = subprocess.run(
        [sys.executable, "-W", "error", "shown.py", f"sqlite:///{tmp_path}/app.db"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout == "b'Gala is up' 1@example.org\n"
