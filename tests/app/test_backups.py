"""The library backed up while it is used: whatever moment a backup holds, every row in it has its file."""

from __future__ import annotations

import hashlib
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from media_library.recovery import every_row_has_its_file
from media_library.tables import blobs, media, renditions, tags, users
from postrmagic_core.backups import Backups
from postrmagic_core.backups.drill import tried
from postrmagic_core.backups.dumps.sqlite import path_from
from postrmagic_core.backups.holding import holding
from postrmagic_core.database import DatabaseManager
from tests.app.house import House, small

LATER = 2 * 3600.0
RECOVER = Path(__file__).parents[2] / "docs/how-to/recover.md"


def stored(house: House, digest: str) -> bool:
    """Whether the file is there."""
    return house.application.library.storage.blob(digest).exists()


def sweep(house: House) -> int:
    """What the hourly job does, two hours from now."""
    return house.application.library.sweep(time.time() + LATER)


def test_files_stay_while_a_backup_goes_on(any_house: House) -> None:
    """Deleted meanwhile, the row is gone at once, and the file with a later sweep; also of thumbnails made too late."""
    house, library = any_house, any_house.application.library
    stack = house.application.stack
    data = small()
    digest = hashlib.sha256(data).hexdigest()
    added = house.add(data)
    with holding(stack.database, stack.clock):
        library.delete(house.who(), added.media_id)
        assert library.discard(digest) is False
        sweep(house)
        assert stored(house, digest)
        with stack.database.write() as tx:
            assert library.remove_file(tx, digest) is False
    assert stored(house, digest)
    assert sweep(house) == 1
    assert not stored(house, digest)


@contextmanager
def used(house: House) -> Iterator[list[BaseException]]:
    """Uploads, deletions and removals of files by several threads meanwhile; their errors."""
    stopped, errors = threading.Event(), list[BaseException]()

    def use() -> None:
        library = house.application.library
        who, kept = house.who(), list[tuple[int, str]]()
        try:
            while not stopped.is_set():
                data = small()
                kept.append((house.add(data).media_id, hashlib.sha256(data).hexdigest()))
                if len(kept) > 3:
                    media_id, digest = kept.pop(0)
                    library.delete(who, media_id)
                    library.discard(digest)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=use) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield errors
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


def rounds(house: House, number: int) -> None:
    """So many backups while the library is used; each restores with every file that its rows name."""
    backups = house.application.stack.backups
    for _ in range(3):
        house.add(small())
    taken = []
    with used(house) as errors:
        for _ in range(number):
            taken.append(backups.take())
    assert errors == []
    for one in taken:
        done = tried(backups, name=one.name)
        assert done.faults == ()
        assert done.files > 0


def test_every_row_of_a_backup_has_its_file(any_house: House) -> None:
    """Under uploads and deletions; the application's own check reads each file."""
    assert every_row_has_its_file in any_house.application.stack.backups.checks
    rounds(any_house, 2)


@pytest.mark.soak
def test_every_row_of_many_backups_has_its_file(any_house: House) -> None:
    """The same, for longer."""
    rounds(any_house, 25)


def test_the_check_of_the_library_finds_what_is_missing(house: House, tmp_path: Path) -> None:
    """A file that is gone, one of another content, a rendition of another size; without directories nothing."""
    library, database = house.application.library, house.application.stack.database
    contents = [small() for _ in range(3)]
    digests = [hashlib.sha256(data).hexdigest() for data in contents]
    for data in contents:
        house.add(data)
    with database.write() as tx:
        tx.execute(renditions.insert().values(digest=digests[2], format="webp", size=4))
    path = library.storage.rendition(digests[2], "webp")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"four")
    directories = library.storage.kept
    assert every_row_has_its_file(database, directories) == []
    library.storage.blob(digests[0]).unlink()
    other = library.storage.blob(digests[1])
    other.chmod(0o600)
    other.write_bytes(contents[1][:-1] + b"?")
    path.write_bytes(b"three")
    assert set(every_row_has_its_file(database, directories)) == {
        f"the file {digests[0]} is missing, or another content",
        f"the file {digests[1]} is missing, or another content",
        f"the rendition {digests[2]}.webp is missing, or of another size",
    }
    assert every_row_has_its_file(database, {}) == []


def test_a_lost_library_comes_back(house: House, tmp_path: Path) -> None:
    """Into other places, by the archive and the key alone: the same media, each with its file."""
    data = small()
    house.add(data)
    stack = house.application.stack
    taken = stack.backups.take()
    url = f"sqlite:///{tmp_path}/new.db"
    elsewhere = {name: tmp_path / name for name in ("blobs", "renditions")}
    terms = stack.backups.terms
    with Backups(terms, database=None, vault=stack.backups.vault, keys=stack.settings.backup_keys()) as alone:
        alone.restore(alone.plan_restore(taken.name, database_url=url, directories=elsewhere))
    with DatabaseManager(url) as restored:
        assert every_row_has_its_file(restored, elsewhere) == []
        assert hashlib.sha256(data).hexdigest() in {row.digest for row in restored.rows(select(blobs.c.digest))}


def copied_back(house: House, beside: str) -> None:
    """Do what the how-to says, with the database ``beside`` being a file or another of the server's."""
    attaching, copying = re.findall(r"```sql\n(.*?)```", RECOVER.read_text(), re.DOTALL)[:2]
    database = house.application.stack.database
    if beside.startswith("sqlite"):
        script = f"{attaching}{copying}".replace("/tmp/beside.db", str(path_from(beside)))
        with closing(sqlite3.connect(path_from(house.application.stack.settings.database_url()))) as connection:
            connection.executescript(script)
        return
    with database.write() as tx:
        for statement in copying.replace("beside.", f"{beside.rpartition('/')[2]}.").split(";"):
            if statement.strip() not in ("", "BEGIN", "COMMIT"):
                tx.connection.exec_driver_sql(statement)
        tx.connection.exec_driver_sql("DROP TEMPORARY TABLE lost")


def rows_of(house: House) -> dict[str, list[tuple[object, ...]]]:
    """What a library is, row by row."""
    wanted = {table.name: select(table) for table in (blobs, media, tags)}
    wanted["users"] = select(users.c.id, users.c.used_bytes)
    database = house.application.stack.database
    return {name: sorted(map(tuple, database.rows(statement))) for name, statement in wanted.items()}


def test_what_was_deleted_is_copied_back_by_the_how_to(any_house: House, tmp_path: Path) -> None:
    """Its file first, then each row after those that it names; what the user has used is counted again."""
    house, stack, library = any_house, any_house.application.stack, any_house.application.library
    data = small()
    house.add(small())
    lost = house.add(data).media_id
    with stack.database.write() as tx:
        tx.execute(tags.insert().values(media_id=lost, name="night"))
    before, taken = rows_of(house), stack.backups.take()
    library.delete(house.who(), lost)
    library.discard(hashlib.sha256(data).hexdigest())
    assert rows_of(house) != before
    url = stack.settings.database_url()
    beside = f"sqlite:///{tmp_path}/beside.db" if url.startswith("sqlite") else f"{url}_beside"
    backups = stack.backups
    backups.restore(backups.plan_restore(taken.name, database=False))
    backups.restore(backups.plan_restore(taken.name, database_url=beside, directories={}))
    try:
        copied_back(house, beside)
    finally:
        if not beside.startswith("sqlite"):
            with stack.database.write() as tx:
                tx.connection.exec_driver_sql(f"DROP DATABASE {beside.rpartition('/')[2]}")
    assert rows_of(house) == before
    assert every_row_has_its_file(stack.database, library.storage.kept) == []
