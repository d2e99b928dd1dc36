"""How statements lie in a dump, and how those of a dump program are found: no server is needed."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postrmagic_core.backups.dumps.mysql.catalogue import unqualified
from postrmagic_core.backups.dumps.mysql.scan import Scanner
from postrmagic_core.backups.dumps.mysql.statements import comment, framed, statements, without_definer
from postrmagic_core.backups.dumps.mysql.values import Field, inserts
from postrmagic_core.errors import BackupDamaged, BackupFailed

ODD = st.text(alphabet="a'\"`\\;\n-*/#!(), 0\x00é", max_size=30)


def cut(text: bytes, size: int) -> list[bytes]:
    """``text`` in pieces of ``size``."""
    return [text[at : at + size] for at in range(0, len(text), size)]


@given(st.lists(st.tuples(st.binary(max_size=200), st.booleans())), st.integers(1, 64))
def test_statements_come_back(made: list[tuple[bytes, bool]], size: int) -> None:
    """Given any bytes as statements, when they are framed and read in pieces, then they are the same."""
    text = comment("a\nb") + b"".join(framed(statement, body=body) for statement, body in made)
    assert list(statements(cut(text, size))) == [statement for statement, _ in made]


@pytest.mark.parametrize("end", [1, 20, 30])
def test_a_cut_part_is_told(end: int) -> None:
    """Given a part that ends early, when it is read, then it is damaged and not short."""
    with pytest.raises(BackupDamaged):
        list(statements([framed(b"SELECT 1 FROM a_table")[:end]]))


def test_what_is_no_dump_is_told() -> None:
    """Given bytes without lines, when they are read as statements, then no more of them is kept than a line."""
    with pytest.raises(BackupDamaged):
        list(statements([b"x" * 5000] * 100))


@pytest.mark.parametrize(
    ("made", "left"),
    [
        (b"CREATE DEFINER=`a``b`@`%` PROCEDURE p() SELECT 1", b"CREATE  PROCEDURE p() SELECT 1"),
        (b"CREATE DEFINER=`a`@`b` VIEW v AS SELECT 'DEFINER=`a`@`b`'", b"CREATE  VIEW v AS SELECT 'DEFINER=`a`@`b`'"),
        (b"CREATE ALGORITHM=MERGE DEFINER=`r`@`h` VIEW v AS SELECT 1", b"CREATE ALGORITHM=MERGE  VIEW v AS SELECT 1"),
        (b"CREATE OR REPLACE DEFINER=`role` EVENT e DO SELECT 1", b"CREATE OR REPLACE  EVENT e DO SELECT 1"),
        (b"CREATE DEFINER=`r`@`h` AGGREGATE FUNCTION f(x INT)", b"CREATE  AGGREGATE FUNCTION f(x INT)"),
        (b"INSERT INTO t VALUES ('CREATE DEFINER=`a`@`b`')", b"INSERT INTO t VALUES ('CREATE DEFINER=`a`@`b`')"),
        (b"CREATE TABLE t (a INT DEFAULT 'DEFINER=`a`@`b`')", b"CREATE TABLE t (a INT DEFAULT 'DEFINER=`a`@`b`')"),
    ],
)
def test_the_definer_is_whoever_restores(made: bytes, left: bytes) -> None:
    """Given a statement that names its definer, when it is restored, then it names none, and strings stay."""
    assert without_definer(made) == left


def quote(text: str) -> str:
    """A string as the dump programs write it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\x00", "\\0") + "'"


@settings(max_examples=60)
@given(st.lists(st.lists(ODD, min_size=1, max_size=3), min_size=1, max_size=4), ODD, st.integers(1, 7))
def test_rows_of_a_dump_program_are_counted(table: list[list[str]], name: str, size: int) -> None:
    """Given an INSERT with any strings and names, when it is scanned, then it is found whole with its rows counted."""
    quoted = "`" + name.replace("`", "``") + "`"
    written = ",\n".join("(" + ",".join(["-1", *map(quote, row), "0x5C27", "NULL"]) + ")" for row in table)
    insert = f"INSERT INTO {quoted} (`a`, {quoted}) VALUES {written}".encode()
    text = (
        b"-- it's; a comment\n/* it's; */ /*!40101 SET NAMES 'x;y' */;\n" + insert + b";\n# it's\n-- Dump completed\n"
    )
    stream = io.BytesIO(text)
    scanner = Scanner(lambda wanted: stream.read(min(wanted, size)))
    first, second = list(scanner)
    assert (first.verb, second.verb, second.text, second.rows) == ("SET", "INSERT", insert, len(table))
    assert scanner.said == b"-- Dump completed\n"


@pytest.mark.parametrize(
    "text", [b"INSERT INTO a VALUES ('", b"INSERT INTO a VALUES (1)", b"SELECT /* x", b"SELECT `a"]
)
def test_a_cut_dump_is_told(text: bytes) -> None:
    """Given what a dump program wrote before it was killed, when it is scanned, then it does not pass for whole."""
    with pytest.raises(BackupFailed):
        list(Scanner(io.BytesIO(text).read))


def test_a_partition_with_the_end_of_a_comment_in_a_string() -> None:
    """Given what runs by version, with strings in it, when it is scanned, then it is part of its statement."""
    made = b"CREATE TABLE `t` (`a` int)\n/*!50100 PARTITION BY LIST (`a`) (PARTITION p VALUES IN ('*/;')) */"
    (found,) = Scanner(io.BytesIO(b"/*M!999999\\- enable the sandbox mode */ \n-- x\n" + made + b";\n").read)
    assert found.text.endswith(made)


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=5), st.integers(120, 400))
def test_no_statement_is_larger_than_asked(values: list[bytes], limit: int) -> None:
    """Given rows of any bytes, when INSERTs are made of them, then all rows are in one, within the limit."""
    field = Field("a", "blob")
    made = list(inserts(b"INSERT INTO t (`a`)", [[values]], [field.writer()], limit))
    assert sum(rows for _, rows in made) == len(values)
    assert all(len(text) <= limit for texts, _ in made for text in texts)


def test_a_row_that_is_too_large_is_sent_in_pieces() -> None:
    """Given a value larger than a statement, when it is written, then in pieces that split no escape."""
    value = b"\\'" * 100_000
    ((texts, rows),) = inserts(b"INSERT INTO t (`a`)", [[[value]]], [Field("a", "blob").writer()], 1001)
    assert rows == 1
    pieces = [text.split(b"_binary'", 1)[1].rstrip(b")")[:-1] for text in texts if b"_binary'" in text]
    assert all(len(text) < 1100 for text in texts)
    assert b"".join(pieces).replace(b"\\'", b"'").replace(b"\\\\", b"\\") == value
    assert all((len(piece) - len(piece.rstrip(b"\\"))) % 2 == 0 for piece in pieces)


def test_calls_lose_the_name_of_the_database() -> None:
    """Given a definition that calls a function by its database, when it is read, then by its own name alone."""
    text = b"select `db`.`f`(1), '`db`.`f`(', `db`.`f`, `db`.`g`(2), nextval(`db`.`s`) from `db`"
    assert unqualified(text, "db", {b"f", b"nextval"}) == (
        b"select `f`(1), '`db`.`f`(', `db`.`f`, `db`.`g`(2), nextval(`s`) from `db`"
    )
