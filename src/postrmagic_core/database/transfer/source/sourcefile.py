"""The source as one looks at it: in one state, however long it is read, while whoever uses it goes on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from ...._sql.sqlite_errors import of_sqlite
from ....errors import ConfigurationError, PlanRefused, translating

_MAGIC = b"SQLite format 3\0"
_NO_DATABASE = (
    "{path} is no SQLite 3 database: it is encrypted, of an older format, or another kind of file. Decrypt it with the "
    "program that wrote it; make a database of SQLite 2 a new one by: sqlite OLD .dump | sqlite3 NEW"
)


@contextmanager
def source_file(path: Path) -> Iterator[sqlite3.Connection]:
    """The file at ``path`` within one transaction: others read it meanwhile, and write in WAL mode.

    Its errors are this package's. Raises :class:`PlanRefused` where there is no file, and
    :class:`ConfigurationError` where it is no database.
    """
    if not path.is_file():
        raise PlanRefused(f"there is no file {path}: name the SQLite database that is to be moved")
    with path.open("rb") as file:
        head = file.read(len(_MAGIC))
    if head not in (_MAGIC, b""):
        raise ConfigurationError(_NO_DATABASE.format(path=path))
    uri = f"file:{quote(str(path.resolve()))}?mode=ro"
    with translating(of_sqlite), closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
        # What has to be sorted may be larger than memory.
        connection.execute("PRAGMA temp_store = FILE")
        connection.execute("BEGIN")
        try:
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_NOTADB:
                raise
            raise ConfigurationError(_NO_DATABASE.format(path=path)) from error
        yield connection
