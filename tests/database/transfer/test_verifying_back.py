"""What was copied from a server without any plan is compared with it: every type, and rows without a key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from postrmagic_core.database.transfer.interface import Server
from postrmagic_core.database.transfer.reversing.reverse import ReverseReport, reverse
from postrmagic_core.database.transfer.session import Session
from postrmagic_core.database.transfer.verifying.verify import TableVerdict, verify
from tests.database.transfer.verified import column, copied, plan_of, serial, table

pytestmark = pytest.mark.mysql

# Of each type a value, and another one that is easily taken for it.
TYPES = {
    "tiny": ("TINYINT(1)", 1, 0),
    "medium": ("MEDIUMINT UNSIGNED", 16_777_215, 16_777_214),
    "big": ("BIGINT UNSIGNED", 2**63 - 1, 2**63 - 2),
    "dbl": ("DOUBLE", 0.1, 0.10000000000000002),
    "dbl2": ("DOUBLE(10,2)", 1.1, 1.2),
    "flt": ("FLOAT", 0.1, 0.10000001),
    "flt2": ("FLOAT(7,2)", 1.1, 1.11),
    "money": ("DECIMAL(15,4)", "12345678901.2345", "12345678901.2346"),
    "whole": ("DECIMAL(18,0)", "999999999999999999", "999999999999999998"),
    "wide": (
        "DECIMAL(40,10)",
        "123456789012345678901234567890.0123456789",
        "123456789012345678901234567890.0123456788",
    ),
    "chars": ("CHAR(5)", "a", "A"),
    "words": ("VARCHAR(20)", "a ", "a"),
    "latin": ("VARCHAR(20) CHARACTER SET latin1", "é€", "è€"),
    "texts": ("LONGTEXT", "x" * 70_000, "x" * 69_999 + "y"),
    "bits3": ("BINARY(3)", b"\xff\0\xff", b"\xff\0\xfe"),
    "bytes9": ("VARBINARY(9)", b"5", b"5\0"),
    "blobs": ("LONGBLOB", b"\xff" * 70_000, b"\xff" * 69_999),
    "at": ("DATETIME", "2024-02-29 12:00:00", "2024-02-29 12:00:01"),
    "at6": ("DATETIME(6)", "2024-02-29 12:00:00.000001", "2024-02-29 12:00:00.000000"),
    "stamp": ("TIMESTAMP NULL", "2038-01-19 03:14:07", "2038-01-19 03:14:06"),
    "day": ("DATE", "2024-02-29", "2024-03-01"),
    "span": ("TIME(3)", "-838:59:59", "-838:59:58"),
    "yr": ("YEAR", 1901, 1902),
    "bit1": ("BIT(1)", 1, 0),
    "bit64": ("BIT(64)", 2**63 - 1, 2**63 - 2),
    "one_of": ("ENUM('a','it''s')", "it's", "a"),
    "some_of": ("SET('x','y')", "x,y", "x"),
    "doc": ("JSON", '{"a": 1}', '{"a": 2}'),
}


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three rows a batch: every table has several."""
    monkeypatch.setattr("postrmagic_core.database.transfer.verifying.verify._ROWS", 3)


@pytest.fixture
def verdict(url: str, tmp_path: Path) -> Callable[[], TableVerdict]:
    """What the only table is found to be, which is copied the first time."""
    found: list[ReverseReport] = []

    def compared() -> TableVerdict:
        if not found:
            found.append(reverse(url, tmp_path / "back.db"))
        (verdict,) = verify(found[0].plan, url, snapshot=found[0].path).tables
        return verdict

    return compared


def change(session: Session, statement: str, *parameters: object) -> None:
    """Change the server's rows."""
    assert session.execute(statement, parameters) > 0
    session.commit()


def test_what_came_back_without_a_plan_is_compared_in_every_type(
    session: Session, verdict: Callable[[], TableVerdict]
) -> None:
    """All are equal, NULL too; of one value that is changed since, the column is named, whichever it is."""
    columns = ", ".join(f"{name} {kind}" for name, (kind, _, _) in TYPES.items())
    session.execute(f"CREATE TABLE t (id INT PRIMARY KEY, {columns})")
    session.execute("INSERT INTO t (id) VALUES (1), (2), (3), (4)")
    given = ", ".join(f"{name} = %s" for name in TYPES)
    change(session, f"UPDATE t SET {given} WHERE id > 1", *(value for _, value, _ in TYPES.values()))
    found = verdict()
    assert found.equal, (found.differences, found.failures)
    assert found.source_hash == found.target_hash
    for name, (_, value, other) in TYPES.items():
        change(session, f"UPDATE t SET {name} = %s WHERE id = 2", other)
        assert [(each.key, each.column) for each in verdict().differences] == [("2", name)], name
        change(session, f"UPDATE t SET {name} = %s WHERE id = 2", value)
    assert verdict().equal


def test_rows_without_a_key_are_counted(session: Session, verdict: Callable[[], TableVerdict]) -> None:
    """A row that is there once more or once less is one difference, and one that was changed is two."""
    session.execute("CREATE TABLE t (a VARCHAR(20), b DOUBLE)")
    change(session, "INSERT INTO t VALUES ('x', 0.1), ('x', 0.1), ('x', 0.1), ('X', NULL), (NULL, NULL), (NULL, NULL)")
    assert verdict().equal
    change(session, "DELETE FROM t WHERE a = 'x' AND b = 0.1 LIMIT 1")
    found = verdict()
    assert [(each.kind, each.key) for each in found.differences] == [("missing", "('x', 0.1)")]
    assert (found.source_rows, found.target_rows, found.missing, found.surplus) == (6, 5, 1, 0)
    change(session, "INSERT INTO t VALUES ('x', 0.1)")
    assert verdict().equal
    change(session, "UPDATE t SET b = 1 WHERE a IS NULL LIMIT 1")
    found = verdict()
    assert {(each.kind, each.key) for each in found.differences} == {
        ("missing", "(NULL, NULL)"),
        ("surplus", "(NULL, 1.0)"),
    }


def test_rows_whose_only_key_folds_case_are_counted(session: Session, verdict: Callable[[], TableVerdict]) -> None:
    """The server sorts them otherwise than the file does."""
    session.execute("CREATE TABLE t (a VARCHAR(20) COLLATE utf8mb4_general_ci PRIMARY KEY, b INT)")
    change(session, "INSERT INTO t VALUES ('a', 1), ('B', 2), ('c', 3), ('D', 4), ('é', 5), ('z', 6)")
    assert verdict().equal
    change(session, "UPDATE t SET a = 'b' WHERE a = 'B'")
    assert [(each.kind, each.key) for each in verdict().differences] == [
        ("surplus", "('b', 2)"),
        ("missing", "('B', 2)"),
    ]


def test_a_decimal_that_no_number_of_sqlites_is_differs_from_all(
    file: Path, url: str, session: Session, server: Server, fill: Callable[..., None]
) -> None:
    """A double that it would be rounded to is not the same."""
    fill("CREATE TABLE t (id INTEGER PRIMARY KEY, a DECIMAL(20,2))", ("INSERT INTO t VALUES (1, ?)", [(0.25,)]))
    fill("", ("INSERT INTO t VALUES (2, ?)", [(12345678901234567 + 1,)]))
    found = table("t", serial(), column("a", "DECIMAL(22,2)", "DECIMAL(20,2)"))
    plan = copied(file, session, plan_of(file, url, server, found))
    assert verify(plan, url).equal
    change(session, "UPDATE t SET a = '12345678901234567.89' WHERE id = 1")
    (told,) = verify(plan, url).tables
    assert [(each.key, each.column, each.target) for each in told.differences] == [("1", "a", "'12345678901234567.89'")]
