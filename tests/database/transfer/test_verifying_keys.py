"""Keys that SQLite and a server would sort otherwise: a move of them is found right, and what differs is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from postrmagic_core.database.transfer.copying.options import RunOptions
from postrmagic_core.database.transfer.copying.run import run
from postrmagic_core.database.transfer.planning.plan import plan
from postrmagic_core.database.transfer.session import Session
from postrmagic_core.database.transfer.verifying.verify import verify
from tests.database.transfer.moving import accepted, assert_verified, moved

pytestmark = pytest.mark.mysql

LETTERS = ("a", "B", "c", "D", "e", "_", "Z", "é", "😀", "\uffff")
SPACES = ("a", "a\t", "a!", "b  ", "b!")
NUMBERS = (1e16, 0.30000000000000004, 1234567.891, 10, 9)
KEYS: dict[str, tuple[str, tuple[object, ...]]] = {
    "without rowid, no case": ("k TEXT COLLATE NOCASE PRIMARY KEY, v INTEGER) WITHOUT ROWID", (*LETTERS, "É")),
    "rowid, no case": ("k TEXT COLLATE NOCASE PRIMARY KEY, v INTEGER)", LETTERS),
    "without rowid, spaces": ("k TEXT COLLATE RTRIM PRIMARY KEY, v INTEGER) WITHOUT ROWID", SPACES),
    "rowid, spaces": ("k TEXT COLLATE RTRIM PRIMARY KEY, v INTEGER)", SPACES),
    "key's own collation": ("k TEXT, v INTEGER, PRIMARY KEY (k COLLATE NOCASE)) WITHOUT ROWID", LETTERS),
    "numbers and text": ("k DATE PRIMARY KEY, v INTEGER)", ("12:30:00", 20240101, "x", 7, -1)),
    "numbers as text": ("k NUMERIC NOT NULL PRIMARY KEY, v INTEGER)", NUMBERS),
    "numbers and text, without rowid": ("k NUMERIC PRIMARY KEY, v INTEGER) WITHOUT ROWID", ("a", *NUMBERS)),
    "decimals, without rowid": (
        "k DECIMAL(20,2) PRIMARY KEY, v INTEGER) WITHOUT ROWID",
        (0.25, 2**60, 2**60 + 1, 2**60 + 2, 2**60 + 3, -(2**60), -(2**60) - 1),
    ),
    "doubles, without rowid": ("k REAL PRIMARY KEY, v INTEGER) WITHOUT ROWID", (0.1, 0.2, 1e300, -1e-300, 2.0)),
    "bytes": ("k BLOB PRIMARY KEY, v INTEGER) WITHOUT ROWID", (b"", b"\0", b"a", b"\xff", b"a\0")),
}


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rows a batch: every table has several ranges of keys."""
    monkeypatch.setattr("postrmagic_core.database.transfer.verifying.verify._ROWS", 2)


@pytest.mark.parametrize(("made", "keys"), KEYS.values(), ids=KEYS)
def test_rows_are_found_whatever_their_key_is_sorted_by(
    made: str, keys: tuple[object, ...], file: Path, url: str, session: Session, fill: Callable[..., None]
) -> None:
    """After a move nothing differs; of a value that is changed then its row is named, and no other."""
    fill(f"CREATE TABLE t ({made}", ("INSERT INTO t VALUES (?, ?)", [(key, place) for place, key in enumerate(keys)]))
    planned = moved(file, url)
    for place in range(len(keys)):
        assert session.execute("UPDATE t SET v = v + 1000 WHERE v = %s", [place]) == 1
        session.commit()
        (found,) = verify(planned, url).tables
        assert [(each.kind, each.source) for each in found.differences] == [("changed", str(place))]
        session.execute("UPDATE t SET v = v - 1000 WHERE v >= 1000")
        session.commit()


@pytest.mark.parametrize(("made", "keys"), KEYS.values(), ids=KEYS)
def test_a_run_goes_on_whatever_the_key_is_sorted_by(
    made: str, keys: tuple[object, ...], file: Path, url: str, fill: Callable[..., None]
) -> None:
    """One row at a time, and stopped after each: all rows are there once."""
    fill(f"CREATE TABLE t ({made}", ("INSERT INTO t VALUES (?, ?)", [(key, place) for place, key in enumerate(keys)]))
    planned = accepted(plan(file, url))

    def stop(what: str, done: int, total: int | None) -> None:
        if what == "t":
            raise KeyboardInterrupt

    for _ in keys:
        with pytest.raises(KeyboardInterrupt):
            run(planned, url, RunOptions(workers=1, batch_rows=1), stop)
    run(planned, url)
    assert_verified(planned, url)
