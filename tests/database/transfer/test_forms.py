"""One value there and back, whatever it is: through LOAD DATA, through INSERT, and by its hash."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from postrmagic_core.database.transfer.forms.form import Form, form_of
from postrmagic_core.database.transfer.interface import ColumnPlan, Server, Value
from postrmagic_core.database.transfer.server import Target
from postrmagic_core.database.transfer.session import FILE, Session
from postrmagic_core.database.transfer.source.schema import affinity_of
from postrmagic_core.errors import PlanRefused


def column(name: str, kind: str = "BIGINT", **options: Any) -> ColumnPlan:
    """A column of the same name on both sides; ``kind`` is MySQL's type."""
    return ColumnPlan(name, name, kind, **options)


LOAD = (
    f"LOAD DATA LOCAL INFILE '{FILE}' INTO TABLE v CHARACTER SET binary "
    r"FIELDS TERMINATED BY '\t' ESCAPED BY '\\' LINES TERMINATED BY '\n' (n, v)"
)
DAY, SECOND = "%Y-%m-%d", "%Y-%m-%d %H:%M:%S"
COLUMNS = {
    "boolean": column("v", "TINYINT(1)", declared="BOOLEAN"),
    "small": column("v", "SMALLINT", declared="SMALLINT"),
    "integer": column("v", "BIGINT", declared="INTEGER"),
    "unsigned": column("v", "bigint(20) unsigned", declared="INTEGER"),
    "real": column("v", "DOUBLE", declared="REAL"),
    "number": column("v", "DOUBLE", declared="NUMERIC"),
    "money": column("v", "DECIMAL(12,2)", declared="DECIMAL(10,2)"),
    "fine": column("v", "DECIMAL(65,10)", declared="NUMERIC"),
    "whole": column("v", "DECIMAL(20,0)", declared="NUMERIC"),
    "fraction": column("v", "DECIMAL(20,3)", declared="REAL"),
    "key": column("v", "VARCHAR(20)", declared="VARCHAR(20)"),
    "char": column("v", "CHAR(5)", declared="CHAR(5)"),
    "tiny": column("v", "TINYTEXT", declared="TEXT"),
    "text": column("v", "TEXT", declared="TEXT"),
    "medium": column("v", "MEDIUMTEXT", declared="TEXT"),
    "long": column("v", "LONGTEXT", declared=""),
    "mixed": column("v", "VARCHAR(100)", declared="INTEGER"),
    "ascii": column("v", "VARCHAR(20)", declared="TEXT", collation="ascii_bin"),
    "old": column("v", "VARCHAR(20)", declared="TEXT", collation="utf8mb3_bin"),
    "latin": column("v", "VARCHAR(20)", declared="TEXT", collation="latin1_bin"),
    "bytes": column("v", "VARBINARY(20)", declared="BLOB"),
    "binary": column("v", "BINARY(4)", declared="BLOB"),
    "blob": column("v", "BLOB", declared="BLOB"),
    "large": column("v", "LONGBLOB", declared="BLOB"),
    "words": column("v", "VARBINARY(20)", declared="VARCHAR(20)"),
    "essay": column("v", "LONGBLOB", declared="TEXT"),
    "second": column("v", "DATETIME", declared="DATETIME", grammar=SECOND),
    "iso": column("v", "DATETIME(3)", declared="TIMESTAMP", grammar="%Y-%m-%dT%H:%M:%S.%fZ"),
    "micro": column("v", "DATETIME(6)", declared="TEXT", grammar=SECOND + ".%f"),
    "minute": column("v", "DATETIME", declared="DATETIME", grammar="%Y-%m-%d %H:%M"),
    "compact": column("v", "DATETIME", declared="DATETIME", grammar="%Y%m%d%H%M%S"),
    "day": column("v", "DATE", declared="DATE", grammar=DAY),
    "time": column("v", "TIME(2)", declared="TIME", grammar="%H:%M:%S.%f"),
}
EDGES: list[Value] = [
    None, "", " ", "a ", "\\", "\\N", "\\n", "\t", "\n", "\r\n", "\x00", "\x00\x01", "a\x00\x01b", "é", "\U0001f600",
    "NULL", "N", "'", '"', ";", "%s", "12", "-5", "1e+20", "0.1", "007", "1.50", "1e400", "9" * 19, "9" * 30,
    "9" * 5000, "\ud800", "abcde", "abcdef", "x" * 300,
    0, 1, -1, 127, 128, -128, 2**15, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 10**18,
    0.0, -0.0, 0.1, 0.1 + 0.2, 19.99, 2.5, 2.555, 1e15, 1e16, 1.5e-5, 1e-14, 1e-15, 1.25e-16, 123456789012345680.0,
    1e22, 1e23, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 999999999999999.9, -0.5, -0.004,
    9999999999.99, 9999999999.995, 9223372036854775808.0, -9223372036854775808.0, math.inf, -math.inf,
    b"", b"\x00", b"abc\x00", b"abcd", b"\\\t\n", b"\x00\xfe\xff\x01", b"\xff", b"x" * 300,
    "2024-02-29", "2023-02-29", "2024-02-30", "0999-01-01", "9999-12-31", "2024-1-1", "2024-02-29\n",
    "2024-02-29 23:59:59", "2024-02-30 00:00:00", "2024-02-29 24:00:00", "2024-12-31 23:59:60",
    "2024-02-29T23:59:59.123Z", "2024-02-29T23:59:59.1234Z", "2024-02-29 23:59:59.000001", "2024-02-29 12:30",
    "20240229123000", "23:59:59.99", "٢٠٢٤-٠٢-٢٩",
]  # fmt: skip
ANY: st.SearchStrategy[Value] = st.one_of(
    st.sampled_from(EDGES),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-300, 300),
    st.floats(allow_nan=False),
    st.decimals(-(10**10), 10**10, places=2).map(float),
    st.decimals(-(10**5), 10**5, places=3).map(float),
    st.text(max_size=24),
    st.text("\\\t\n\0\x01\x1f';N e", max_size=12),
    st.binary(max_size=24),
    st.datetimes().map(lambda time: f"{time:%Y-%m-%d %H:%M:%S}"),
    st.datetimes().map(lambda time: time.isoformat(" ", "microseconds")),
    st.datetimes().map(lambda time: time.isoformat("T", "milliseconds") + "Z"),
    st.dates().map(str),
)


def same(one: Value, other: Value) -> bool:
    """Whether both are the same value of the same class, to the sign of a zero."""
    if type(one) is float and type(other) is float:
        return struct.pack("d", one) == struct.pack("d", other)
    return type(one) is type(other) and one == other


def fitting(form: Form, values: Sequence[Value]) -> list[Value]:
    """Those of ``values`` that the form takes, each asked for by itself."""
    return [value for value in values if form.misfit([value]) is None]


def create(session: Session, plan: ColumnPlan, server: Server) -> None:
    """A table ``v`` with a column of the plan's type beside a number."""
    text = "CHAR" in plan.type or "TEXT" in plan.type
    collation = plan.collation or server.exact
    kind = f"{plan.type} COLLATE {collation}" if text else plan.type
    session.execute(f"CREATE TABLE v (n BIGINT PRIMARY KEY, v {kind} NULL)")


@pytest.mark.parametrize("name", COLUMNS)
def test_what_fits_comes_back_the_same(name: str, session: Session, target: Target) -> None:
    """Whatever a form takes is the same value again after LOAD DATA, after INSERT, and to the hash."""
    plan = COLUMNS[name]
    form = form_of(plan)
    create(session, plan, target.server)
    ways = (load, insert) if target.local_infile else (insert,)

    @settings(max_examples=20, suppress_health_check=list(HealthCheck), deadline=None)
    @given(st.lists(ANY, max_size=30))
    @example(EDGES)
    def there_and_back(drawn: list[Value]) -> None:
        values = fitting(form, drawn)
        assert form.misfit(values) is None
        read = f"SELECT {form.select_sql('v')}, CAST({form.canonical_sql('v')} AS BINARY) FROM v ORDER BY n"
        for write in ways:
            session.execute("DELETE FROM v")
            write(session, form, values)
            rows = session.rows(read)
            back = [form.back(stored) for stored, _ in rows]
            assert len(rows) == len(values)
            assert all(map(same, back, values)), (write.__name__, back, values)
            assert [canonical for _, canonical in rows] == form.canonicals(values)
            # One by one as all at once.
            assert form.canonicals(values) == [form.canonicals([value])[0] for value in values]
            assert form.fields(values) == [form.fields([value])[0] for value in values]

    there_and_back()


def load(session: Session, form: Form, values: Sequence[Value]) -> None:
    """Write the values by LOAD DATA."""
    data = b"".join(b"%d\t%b\n" % pair for pair in enumerate(form.fields(values)))
    count, warnings = session.load(LOAD, [data] if data else [])
    assert (count, warnings) == (len(values), 0)


def insert(session: Session, form: Form, values: Sequence[Value]) -> None:
    """Write the values by one INSERT."""
    parameters = [part for pair in enumerate(form.parameters(values)) for part in pair]
    if parameters:
        session.execute("INSERT INTO v (n, v) VALUES " + ", ".join(["(%s, %s)"] * len(values)), parameters)
        assert session.warnings == 0


@settings(max_examples=150)
@given(st.sampled_from(sorted(COLUMNS)), st.lists(ANY, max_size=8))
def test_canonical_texts_differ_where_values_do(name: str, values: list[Value]) -> None:
    """Two values that are not the same have two canonical texts, also where neither would fit."""
    texts = form_of(COLUMNS[name]).canonicals(values)
    for one, text in zip(values, texts, strict=True):
        for other, another in zip(values, texts, strict=True):
            assert same(one, other) or text != another, (one, other, text)


@settings(max_examples=150)
@given(st.sampled_from(sorted(COLUMNS)), st.lists(ANY, max_size=12))
def test_a_batch_fits_as_its_values_do(name: str, values: list[Value]) -> None:
    """The first misfit of many is the first that is one by itself."""
    form = form_of(COLUMNS[name])
    alone = [index for index, value in enumerate(values) if form.misfit([value]) is not None]
    assert form.misfit(values) == (alone[0] if alone else None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("boolean", 128),
        ("integer", 2**63),
        ("integer", 1.0),
        ("integer", "1"),
        ("unsigned", -1),
        ("real", math.inf),
        ("real", 1),
        ("number", 2**53 + 1),
        ("number", 3.0),
        ("money", 0.125),
        ("money", 10**10),
        ("money", 1.0),
        ("real", -0.0),
        ("fraction", -0.0),
        ("whole", 1.5),
        ("key", "x" * 21),
        ("key", "\ud800"),
        ("key", b"x"),
        ("char", "ab "),
        ("tiny", "é" * 128),
        ("mixed", "12"),
        ("mixed", "-1.5"),
        ("mixed", math.inf),
        ("ascii", "é"),
        ("old", "\U0001f600"),
        ("bytes", "x"),
        ("binary", b"abc"),
        ("words", "é" * 11),
        ("words", b"x"),
        ("second", "2024-02-30 00:00:00"),
        ("second", "0999-02-03 00:00:00"),
        ("second", "2024-02-03T00:00:00"),
        ("iso", "2024-02-03T00:00:00.12Z"),
        ("day", "2023-02-29"),
        ("day", 20230228),
    ],
)
def test_what_would_change_does_not_fit(name: str, value: Any) -> None:
    """A value that the column would round, cut, pad, recode or refuse is told beforehand."""
    assert form_of(COLUMNS[name]).misfit([None, value]) == 1


def test_null_does_not_fit_where_there_is_none() -> None:
    """A NULL that the server would make a number of, or an id, is told beforehand."""
    assert form_of(column("v", nullable=False)).misfit([1, None]) == 1
    assert form_of(column("v", auto_increment=True)).misfit([None]) == 0
    for plan in COLUMNS.values():
        strict = form_of(ColumnPlan("v", "v", plan.type, False, declared=plan.declared, grammar=plan.grammar))
        assert strict.misfit([None]) == 0


def test_what_stands_in_the_target_but_could_not_be_from_here_is_another_value() -> None:
    """A time that the grammar has no letters for, or bytes that are no text, come back as no text."""
    assert form_of(COLUMNS["minute"]).back("2024-02-29 12:30:30") == b"2024-02-29 12:30:30"
    assert form_of(COLUMNS["words"]).back(b"\xff") == b"\xff"
    assert form_of(COLUMNS["second"]).back("2024-02-29 12:30:30.5") == b"2024-02-29 12:30:30.5"


@pytest.mark.parametrize("stored", ["12345678901234567.891", "-9007199254740993.000", "0.100"])
def test_a_decimal_of_more_digits_than_a_double_has_comes_back_as_text(stored: str) -> None:
    """Rounded it would be taken for the double that it is not."""
    found = form_of(COLUMNS["fraction"]).back(stored)
    assert found == (0.1 if stored == "0.100" else stored)
    assert form_of(column("v", "DECIMAL(22,3)", declared="NUMERIC")).back("12345678901234568.000") == 12345678901234568


@pytest.mark.parametrize("kind", ["FLOAT", "JSON", "DATETIME", "ENUM('a')", "TIMESTAMP", ""])
def test_a_type_that_holds_no_value_exactly_is_refused(kind: str) -> None:
    """There is no form for a type that rounds or rewrites, nor for a date without a grammar."""
    with pytest.raises(PlanRefused, match="v"):
        form_of(column("v", kind))


@pytest.mark.parametrize(("kind", "grammar"), [("DATE", SECOND), ("DATETIME", SECOND + ".%f"), ("DATE", "%d.%m")])
def test_a_grammar_that_says_more_or_less_than_the_type_is_refused(kind: str, grammar: str) -> None:
    """A part of a date that the other side has no place for would be lost."""
    with pytest.raises(PlanRefused, match="grammar"):
        form_of(column("v", kind, grammar=grammar))


@pytest.mark.parametrize(
    ("declared", "affinity"),
    [
        ("BIGINT", "integer"),
        ("CHARINT", "integer"),
        ("VARCHAR(10)", "text"),
        ("", "blob"),
        ("BLOB", "blob"),
        ("DOUBLE PRECISION", "real"),
        ("DECIMAL(10,2)", "numeric"),
        ("DATETIME", "numeric"),
        ("FLOATING POINT", "integer"),
    ],
)
def test_the_affinity_is_sqlites(declared: str, affinity: str) -> None:
    """The first rule that applies decides, as in SQLite's own examples."""
    assert affinity_of(declared) == affinity
