"""Which changes of a plan are possible, and that the others are all named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from postrmagic_core.database.transfer.forms.form import form_of
from postrmagic_core.database.transfer.interface import CheckPlan, ColumnPlan, IndexPart, IndexPlan, Plan, TablePlan
from postrmagic_core.database.transfer.planfile.column_types import type_problem
from postrmagic_core.database.transfer.planfile.edits import carried, ensure_possible, ensure_unedited, problems, seals
from postrmagic_core.errors import PlanRefused
from tests.database.transfer.plans import DECIDE, ID, NAME, PLAN, POSTS, STOP, USERS


def users(**changes: Any) -> Plan:
    """The plan with another table of users."""
    return replace(PLAN, tables=(replace(USERS, **changes), POSTS))


def column(**changes: Any) -> Plan:
    """The plan with another column of names."""
    return users(columns=(ID, replace(NAME, **changes)))


def test_a_plan_as_it_was_made_is_possible() -> None:
    """And what may be edited may: types, NULL, defaults, collations; and indexes, foreign keys and checks may go."""
    assert list(problems(PLAN)) == []
    assert list(problems(column(type="VARCHAR(200)", nullable=False, default="''", collation="utf8mb4_bin"))) == []
    assert list(problems(users(indexes=(), checks=()))) == []
    renamed = users(
        target="people",
        columns=(ID, replace(NAME, target="called")),
        indexes=(IndexPlan("ix_name", "ix_called", (IndexPart("called"),)),),
    )
    posts = replace(POSTS, foreign_keys=())
    assert list(problems(replace(renamed, tables=(renamed.tables[0], posts)))) == []


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        (column(type="FLOAT"), "table 'users': column 'name': FLOAT is no type that holds values exactly"),
        (column(type="CHAR(80)"), "CHAR(80) is no type"),
        (column(type="VARCHAR(99999)"), "VARCHAR(99999) should be written VARCHAR(n), n at most 16383"),
        (column(type="BIGINT"), "BIGINT cannot hold what was seen (3 texts)"),
        (column(type="DATETIME(3)"), "DATETIME(3) needs a grammar"),
        (column(grammar="%Y-%m-%d"), "VARCHAR(80) takes no grammar"),
        (column(auto_increment=True), "VARCHAR(80) cannot be counted up"),
        (column(collation="utf8mb4_bin; DROP"), "is no collation"),
        (column(type="TEXT"), "index 'ix_name': column 'name' is TEXT, and needs a length here"),
        (column(target="ID"), "the columns: 'ID' is there twice"),
        (column(target="x" * 65), "is no name: it has 65 characters"),
        (column(target="called"), "index 'ix_name': there is no column 'name'"),
        (users(target="POSTS"), "the tables: 'posts' is there twice"),
        (users(target="people"), "foreign key 'fk_posts_1': there is no table 'users'"),
        (users(primary_key=("uid",)), "primary_key: there is no column 'uid'"),
        (users(primary_key=("name",)), "primary_key: column 'name' may be NULL"),
        (users(key=("name",), columns=(ID, replace(NAME, collation=""))), "its collation must be utf8mb4_nopad_bin"),
        (users(indexes=(IndexPlan("", "i", ()),)), "index 'i': it has no parts"),
        (users(indexes=(IndexPlan("", "primary", (IndexPart("id"),)),)), "no index can have this name"),
        (
            users(indexes=(IndexPlan("", "i", (IndexPart("name", 9),), unique=True),)),
            "must look at the whole of column",
        ),
        (users(checks=(CheckPlan("c", "", ""), CheckPlan("C", "", ""))), "the checks: 'C' is there twice"),
    ],
)
def test_what_cannot_be_is_named(plan: Plan, told: str) -> None:
    """The table, the column or key, and why."""
    assert [one for one in problems(plan) if told in one], list(problems(plan))


def test_all_that_cannot_be_is_told_at_once() -> None:
    """Whoever edits corrects it in one go."""
    with pytest.raises(PlanRefused) as refused:
        ensure_possible(users(columns=(ID, replace(NAME, type="FLOAT")), primary_key=("uid",)))
    assert str(refused.value).count("\n") == 2


@pytest.mark.parametrize("existing", [False, True])
def test_nobody_can_say_that_rows_are_there_already(existing: bool) -> None:
    """Planning compares them."""
    noted = seals(users(existing=existing))
    with pytest.raises(PlanRefused, match="only tells what was found"):
        ensure_unedited(users(existing=existing, kept=True), noted)


def test_a_table_that_stands_in_the_target_is_not_judged() -> None:
    """Its types are the server's own, and nothing of it is for editing."""
    assert list(problems(column(type="enum('a','b')"))) != []
    existing = users(existing=True, columns=(ID, replace(NAME, type="enum('a','b')")))
    assert list(problems(existing)) == []
    with pytest.raises(PlanRefused, match="'table users': something was changed"):
        ensure_unedited(existing, seals(users(existing=True)))


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        (replace(PLAN, findings=(DECIDE, STOP)), "'findings': something was changed"),
        (replace(PLAN, findings=(DECIDE, replace(STOP, severity="note"))), "'findings': something was changed"),
        (replace(PLAN, tables=(USERS,)), "'table posts' is missing"),
        (replace(PLAN, tables=(*PLAN.tables, replace(POSTS, name="x"))), "'table x' was not there"),
        (users(columns=(ID,)), "'table users': something was changed"),
        (users(key=("name",)), "'table users': something was changed"),
        (column(seen="3 integers"), "'table users': something was changed"),
        (column(declared="INTEGER"), "'table users': something was changed"),
        (replace(PLAN, schema="other"), "'server': something was changed"),
    ],
)
def test_what_only_tells_what_was_found_is_not_for_editing(plan: Plan, told: str) -> None:
    """Findings, keys, columns of the source: a plan without them would lose what they say."""
    with pytest.raises(PlanRefused, match=told):
        ensure_unedited(plan, seals(PLAN))


def test_decisions_and_the_order_of_findings_are_for_editing() -> None:
    """So are names, types and constraints."""
    accepted = replace(DECIDE, accepted=True)
    ensure_unedited(replace(PLAN, findings=(accepted, STOP, PLAN.findings[0])), seals(PLAN))
    ensure_unedited(column(target="called", type="LONGTEXT", collation="utf8mb4_bin", default="''"), seals(PLAN))
    ensure_unedited(users(target="people", indexes=(), checks=(), foreign_keys=()), seals(PLAN))


def test_a_decision_is_carried_over_to_what_is_still_the_same() -> None:
    """A finding with more rows than before is another decision."""
    earlier = replace(PLAN, findings=(replace(DECIDE, accepted=True),))
    assert carried(PLAN, earlier).blocking == (STOP,)
    more = replace(PLAN, findings=(replace(DECIDE, rows=2),))
    assert carried(more, earlier) == more


TYPES = [
    *("TINYINT", "TINYINT(1)", "SMALLINT", "MEDIUMINT", "INT", "BIGINT", "BIGINT UNSIGNED", "DOUBLE", "DECIMAL(12,2)"),
    *("VARCHAR(5)", "TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT", "DATE", "DATETIME", "DATETIME(6)"),
    *("VARBINARY(5)", "TINYBLOB", "BLOB", "MEDIUMBLOB", "LONGBLOB"),
]


@pytest.mark.parametrize("kind", TYPES)
def test_what_a_plan_may_name_can_be_written(kind: str) -> None:
    """Each type has a form, by which values go there and back."""
    assert type_problem(kind, "") is None
    form_of(ColumnPlan("c", "c", kind, grammar="%Y-%m-%d" if kind.startswith("DATE") else ""))


@pytest.mark.parametrize(
    ("kind", "seen", "holds"),
    [
        ("BIGINT", "3 integers, 2 nulls", True),
        ("BIGINT", "1 real", False),
        ("DOUBLE", "3 integers, 1 real", True),
        ("DECIMAL(12,2)", "1 text", False),
        ("TEXT", "3 integers, 1 text", True),
        ("TEXT", "1 blob", False),
        ("BLOB", "1 blob, 1 text", True),
        ("VARBINARY(9)", "1 real", False),
        ("DATE", "9 texts", True),
        ("DATE", "9 integers", False),
        ("DECIMAL(66,2)", "", False),
        ("DECIMAL(5,6)", "", False),
        ("DECIMAL", "", False),
        ("DATETIME(7)", "", False),
        ("VARCHAR(5) UNSIGNED", "", False),
        ("VARCHAR", "", False),
        ("", "", False),
    ],
)
def test_a_type_holds_what_was_seen_or_not(kind: str, seen: str, holds: bool) -> None:
    """By storage class; sizes are the rows' own matter."""
    assert (type_problem(kind, seen) is None) == holds


def test_a_table_without_rows_takes_any_type() -> None:
    """Nothing was seen in it."""
    empty = TablePlan("t", "t", ("id",), ("id",), (replace(ID, seen=""), ColumnPlan("x", "x", "DOUBLE")))
    assert list(problems(replace(PLAN, tables=(empty,)))) == []
