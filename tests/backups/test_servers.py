"""Backups of a server's database with the files that its rows name."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from postrmagic_core._clock import SystemClock
from postrmagic_core.backups.holding import holding
from postrmagic_core.backups.tables import runs
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import BackupDamaged, BackupFailed, RestoreRefused
from tests.backups.site import Site
from tests.copies import packaged
from tests.databases import empty_database

SERVERS = [
    pytest.param("mariadb", marks=pytest.mark.mysql),
    pytest.param("mysql", marks=[pytest.mark.mysql, pytest.mark.soak]),
]


@pytest.fixture(params=SERVERS)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """An application with a table, on a server, and a file."""
    site = Site(tmp_path)
    with empty_database(request.param, request, tmp_path) as url:
        packaged(url)
        site.url = url
        site.terms = replace(site.terms, database_url=url, workspace=tmp_path)
        site.media.mkdir()
        site.put("a/photo", b"light")
        with site.database() as database, database.write() as tx:
            tx.connection.exec_driver_sql("CREATE TABLE accounts (id INT PRIMARY KEY, balance INT) ENGINE=InnoDB")
            tx.connection.exec_driver_sql("INSERT INTO accounts VALUES (1, 10), (2, 20)")
        yield site


def test_a_servers_database_and_files_come_back(site: Site) -> None:
    """Given a server's database and files, when both are lost and restored, then they are as they were, and free."""
    with site.backups() as backups:
        taken = backups.take()
        assert taken.manifest.database.tables["accounts"] == 2
        assert backups.verify() == taken.name
        with site.database() as database, database.write() as tx:
            tx.connection.exec_driver_sql("DROP TABLE accounts")
        (site.media / "a/photo").unlink()
        backups.restore(backups.plan_restore())
        assert site.rows("SELECT sum(balance) FROM accounts") == [(30,)]
        assert (site.media / "a/photo").read_bytes() == b"light"
        backups.take()


def test_a_damaged_backup_replaces_no_table(site: Site, tmp_path: Path) -> None:
    """Given a flipped byte of the database in the vault, when it is restored, then every table is as it was."""
    name = site.take()
    file = tmp_path / "vault" / name
    content = bytearray(file.read_bytes())
    content[200] ^= 1
    file.write_bytes(content)
    with site.database() as database, database.write() as tx:
        tx.connection.exec_driver_sql("UPDATE accounts SET balance = 0")
    with site.backups() as backups, pytest.raises(BackupDamaged):
        backups.restore(backups.plan_restore())
    assert site.rows("SELECT sum(balance) FROM accounts") == [(0,)]


def test_a_file_does_not_become_a_server(site: Site, tmp_path: Path) -> None:
    """Given a backup of a server, when it is to be restored into a file, then it is refused and the way is named."""
    site.take()
    with site.backups() as backups, pytest.raises(RestoreRefused, match="postrmagic db transfer"):
        backups.plan_restore(database_url=f"sqlite:///{tmp_path}/app.db")


def test_of_many_at_once_one_begins_on_a_server(site: Site) -> None:
    """Given six that begin together, when they have, then one holds and the others are refused."""
    begun: list[str] = []
    refused: list[str] = []
    done, ready = threading.Event(), threading.Barrier(6)

    def begin() -> None:
        with DatabaseManager(site.url) as database:
            database.rows(select(runs))
            ready.wait()
            try:
                with holding(database, SystemClock()) as hold:
                    begun.append(hold.id)
                    done.wait(30)
            except BackupFailed as error:
                refused.append(str(error))
        if len(refused) == 5:
            done.set()

    threads = [threading.Thread(target=begin) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(begun), len(refused)) == (1, 5)
    assert all("under way since" in each for each in refused)
