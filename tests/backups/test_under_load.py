"""A backup while everybody writes: it holds a state that existed, and every row in it has its file."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from postrmagic_core.backups import Backups
from postrmagic_core.database import DatabaseManager, Unit
from postrmagic_core.errors import Conflict
from tests.backups.site import ACCOUNTS, BALANCE, Site, noise

_TRANSFERRING = """
import random, sys, time
from postrmagic_core.database import DatabaseManager
from tests.backups.test_under_load import transfer
with DatabaseManager(sys.argv[1]) as database:
    print("open", flush=True)
    for _ in iter(lambda: None, 1):
        transfer(database)
        time.sleep(0.002)
"""


def transfer(database: DatabaseManager) -> None:
    """Move money from one account to another: the total stays."""
    source, target = random.sample(range(ACCOUNTS), 2)
    with database.write() as tx:
        (balance,) = tx.connection.exec_driver_sql("SELECT balance FROM accounts WHERE id = ?", (source,)).one()
        change = "UPDATE accounts SET balance = ? WHERE id = ?"
        amount = random.randint(0, balance)
        tx.connection.exec_driver_sql(change, (balance - amount, source))
        (there,) = tx.connection.exec_driver_sql("SELECT balance FROM accounts WHERE id = ?", (target,)).one()
        tx.connection.exec_driver_sql(change, (there + amount, target))


def upload(site: Site, database: DatabaseManager) -> str:
    """Store a file, then the row that names it."""
    content = noise(random.choice([10, 1000, 100_000]))
    name = hashlib.sha256(content).hexdigest()
    draft = site.root / f"incoming-{name}"
    draft.write_bytes(content)
    (site.media / name[:2]).mkdir(exist_ok=True)
    draft.rename(site.media / name[:2] / name)
    with database.write() as tx:
        tx.connection.exec_driver_sql("INSERT INTO blobs VALUES (?)", (name,))
    return name


def upload_some(site: Site, database: DatabaseManager) -> None:
    """:func:`upload`, in turn with who forgets: else files would pile up, or run out."""
    (rows,) = site.rows("SELECT count(*) FROM blobs")
    if isinstance(rows[0], int) and rows[0] < 60:
        upload(site, database)
    else:
        forget(database)


def forget(database: DatabaseManager) -> None:
    """Delete a row; its file goes later."""
    with database.write() as tx:
        tx.connection.exec_driver_sql(
            "DELETE FROM blobs WHERE name = (SELECT name FROM blobs ORDER BY random() LIMIT 1)"
        )


def sweep(site: Site, database: DatabaseManager, holds: Callable[[Unit], bool]) -> int:
    """Remove the files that no row names, unless a backup may need them; how many went."""
    gone = 0
    for path in [path for path in site.media.rglob("*") if path.is_file()]:
        with database.write() as tx:
            rows = tx.connection.exec_driver_sql("SELECT 1 FROM blobs WHERE name = ?", (path.name,)).all()
            if not rows and not holds(tx):
                path.unlink()
                gone += 1
    return gone


@contextmanager
def working(work: Callable[[], object]) -> Iterator[list[int]]:
    """A thread that does ``work`` again and again; how often it did."""
    stop, done, failed = threading.Event(), [0], []

    def run() -> None:
        try:
            while not stop.is_set():
                with suppress(Conflict):  # of so many writers one may wait too long
                    work()
                    done[0] += 1
        except BaseException as error:
            failed.append(error)
            raise

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield done
    finally:
        stop.set()
        thread.join()
    assert failed == []


@contextmanager
def transferring(site: Site) -> Iterator[None]:
    """A process that moves money."""
    command = [sys.executable, "-c", _TRANSFERRING, site.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        try:
            yield
        finally:
            process.kill()


def ensure_whole(backups: Backups, name: str, into: Path) -> int:
    """Restore a backup beside everything, and look whether it is a state that was; how many files its rows name."""
    into.mkdir()
    url = f"sqlite:///{into}/app.db"
    backups.restore(backups.plan_restore(name, database_url=url, directories={"media": into / "media"}))
    with DatabaseManager(url) as database, database.read() as tx:
        assert tx.connection.exec_driver_sql("SELECT sum(balance) FROM accounts").one() == (ACCOUNTS * BALANCE,)
        names = [name for (name,) in tx.connection.exec_driver_sql("SELECT name FROM blobs")]
    for each in names:
        assert hashlib.sha256((into / "media" / each[:2] / each).read_bytes()).hexdigest() == each
    return len(names)


def under_load(tmp_path: Path, processes: int, times: int, rest: float) -> None:
    """Take ``times`` backups while threads and ``processes`` write."""
    site = Site(tmp_path).made()
    names = []

    counts: list[list[int]] = []
    begun: list[int] = []

    def report(what: str, done: int, total: int | None) -> None:
        time.sleep(rest)
        deadline = time.monotonic() + 30
        while what == "database" and not all(count[0] > before for count, before in zip(counts, begun, strict=True)):
            assert time.monotonic() < deadline, "somebody does not write"
            time.sleep(0.01)

    with site.database() as database, site.backups(database) as backups, ExitStack() as load:
        for _ in range(40):
            upload(site, database)
        for _ in range(processes):
            load.enter_context(transferring(site))
        for work in (
            lambda: transfer(database),
            lambda: upload_some(site, database),
            lambda: sweep(site, database, backups.holds),
        ):
            counts.append(load.enter_context(working(work)))
        for _ in range(times):
            begun[:] = [count[0] for count in counts]
            names.append(backups.take(report).name)
            time.sleep(rest * 50)  # in which files may go
    with site.backups() as backups:
        for name in names:
            assert ensure_whole(backups, name, tmp_path / name)


def test_a_backup_under_load_is_a_state_that_was(tmp_path: Path) -> None:
    """Given threads and a process that write, when a backup is taken, then totals hold and every row has its file."""
    under_load(tmp_path, processes=1, times=1, rest=0.002)


@pytest.mark.soak
def test_many_backups_under_load_are_states_that_were(tmp_path: Path) -> None:
    """Given three processes and threads that write, when eight backups are taken, then each is whole."""
    under_load(tmp_path, processes=3, times=8, rest=0.002)


def test_a_file_whose_row_goes_after_the_snapshot_is_in_it(tmp_path: Path) -> None:
    """Given a row that is deleted while the backup goes on, when its file is swept, then it stays until the end."""
    site = Site(tmp_path).made()
    swept = []
    with site.database() as database, site.backups(database) as backups:
        upload(site, database)

        def report(what: str, done: int, total: int | None) -> None:
            if what == "database":
                forget(database)
                swept.append(sweep(site, database, backups.holds))

        name = backups.take(report).name
        assert swept
        assert not any(swept)
        assert ensure_whole(backups, name, tmp_path / "beside") == 1
        assert sweep(site, database, backups.holds) == 1
