"""What it takes to back up a database with its files, and to restore it, beside the tools one would put in a row.

A database of mixed rows and a directory of files that do not shrink, as pictures do not. The other side: for SQLite the
file copied by SQLite's own shell, for MariaDB its own dump, both with the files through ``tar``, ``gzip -1`` and
``openssl enc -aes-256-ctr``. It does less: nothing tells whether a byte was changed, what is in it, or whether rows and
files belong together. With ``--quick`` the data are fewer, and the result says so as ``scale``.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

from postrmagic_core._crypto import KeyRing
from postrmagic_core.backups import Backups, BackupTerms
from postrmagic_core.backups.vaults import open_vault
from postrmagic_core.database import DatabaseManager
from postrmagic_core.testing.servers import MariaDBServer

from ._backups_data import FILE, Data
from ._backups_peers import Pipeline, tools
from ._harness import Bench, Case
from ._stats import percentile

TAKES: frozenset[str] = frozenset()
OURS: Final = "postrmagic-core"
_KEY: Final = "a key of the benchmark: 0123456789"


def run(bench: Bench) -> None:
    """Report every figure."""
    rows, files = bench.scaled(300_000, 60_000), bench.scaled(2000, 240)
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        data = Data(rows, files, bench.options.seed)
        data.write_files(folder / "media")
        urls = {"sqlite": f"sqlite:///{folder / 'app.db'}"}
        server = bench.peer("mariadb", tools("mariadb-dump", "mariadb"))
        if server is not None:
            urls["mariadb"] = opened.enter_context(MariaDBServer()).create_database()
        for name, url in urls.items():
            data.write_rows(url)
            compared(bench, name, url, folder)
        writing(bench, urls["sqlite"], folder)


def compared(bench: Bench, name: str, url: str, folder: Path) -> None:
    """``…_backup_time_ratio`` and ``…_restore_time_ratio``: our time by the pipeline's; ``…_size_ratio``."""
    peer = Pipeline(url, folder, folder / f"{name}.peer")
    vault = folder / f"vault-{name}"
    ours = manager(url, folder, vault)
    rounds = bench.repeats(3, 2)
    with ours:
        cases = [Case(OURS, partial(taken, ours)), Case(peer.name, peer.take)]
        found = bench.pair(f"{name}: backup", cases, rounds=rounds)
        bench.figure(f"{name}_backup_time_ratio", found.time_ratio(OURS, peer.name))
        bench.figure(f"{name}_size_ratio", ours.list()[0].size / peer.size)
        begin = time.perf_counter()
        ours.verify()
        bench.figure(f"{name}_verify_mb_rate", ours.find()[0].manifest.size / 1e6 / (time.perf_counter() - begin))
        cases = [
            Case(OURS, partial(restored, ours, folder / "restored"), partial(emptied, folder / "restored")),
            Case(peer.name, partial(peer.restore, folder / "restored"), partial(emptied, folder / "restored")),
        ]
        found = bench.pair(f"{name}: restore", cases, rounds=rounds)
        bench.figure(f"{name}_restore_time_ratio", found.time_ratio(OURS, peer.name))


def writing(bench: Bench, url: str, folder: Path) -> None:
    """``write_p95_time_ratio``: what a write takes while a backup is taken, by what it takes without one."""
    with DatabaseManager(url) as database, manager(url, folder, folder / "vault-busy") as ours:
        alone = writes(database, lambda: time.sleep(bench.repeats(50, 20) / 10))
        during = writes(database, lambda: taken(ours))
    bench.figure("write_p95_time_ratio", percentile(during, 0.95) / percentile(alone, 0.95))


def manager(url: str, folder: Path, vault: Path) -> Backups:
    """Ours, on this database and the directory of files."""
    terms = BackupTerms(url, {"media": folder / "media"}, folder)
    return Backups(terms, database=None, vault=open_vault(f"file://{vault}"), keys=KeyRing([_KEY]))


def taken(ours: Backups) -> None:
    """One backup, the earlier ones removed: the disk is not what is measured."""
    earlier = [each.name for each in ours.list()]
    ours.take()
    for name in earlier:
        ours.vault.remove(name)


def restored(ours: Backups, to: Path) -> None:
    """The newest backup, beside: to a new file, or into the same database, as the other side does."""
    url = f"sqlite:///{to / 'app.db'}" if ours.terms.database_url.startswith("sqlite") else ours.terms.database_url
    ours.restore(ours.plan_restore(database_url=url, directories={"media": to / "media"}))


def emptied(folder: Path) -> None:
    """A directory with nothing in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()


def writes(database: DatabaseManager, while_: Callable[[], object]) -> list[float]:
    """Seconds that each of many small writes took while ``while_()`` ran."""
    stopping, times = threading.Event(), list[float]()

    def write() -> None:
        while not stopping.wait(0.005):
            begin = time.perf_counter()
            with database.write() as tx:
                tx.execute(FILE.update().where(FILE.c.id == 1).values(title=os.urandom(4).hex()))
            times.append(time.perf_counter() - begin)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        while_()
    finally:
        stopping.set()
        thread.join()
    return times


if __name__ == "__main__":
    from .__main__ import main

    raise SystemExit(main(["run", "backups", *sys.argv[1:]]))
