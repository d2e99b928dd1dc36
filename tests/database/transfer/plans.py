"""Plans for tests: one like those that are made, and any that could ever be written."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from postrmagic_core.database.transfer.interface import (
    CheckPlan,
    ColumnPlan,
    Example,
    Finding,
    ForeignKeyPlan,
    IndexPart,
    IndexPlan,
    ObjectPlan,
    Plan,
    Server,
    TablePlan,
)

EXACT = "utf8mb4_nopad_bin"
SERVER = Server("mariadb", "10.11.6-MariaDB", EXACT, "utf8mb4_uca1400_nopad_as_ci", 16_777_216)
ID = ColumnPlan(
    "id", "id", "BIGINT", nullable=False, auto_increment=True, declared="INTEGER", seen="3 integers", reason="64 bits"
)
NAME = ColumnPlan("name", "name", "VARCHAR(80)", collation=EXACT, declared="TEXT", seen="3 texts", reason="in a key")
USERS = TablePlan(
    "users",
    "users",
    ("id",),
    ("id",),
    (ID, NAME),
    indexes=(IndexPlan("ix_name", "ix_name", (IndexPart("name"),), unique=True),),
    checks=(CheckPlan("ck_users_1", 'length("name") > 0', "CHAR_LENGTH(`name`) > 0"),),
    auto_increment=4,
    rows=3,
    sql='CREATE TABLE users (\n    id INTEGER PRIMARY KEY,\n    "name" TEXT\n)',
)
POSTS = TablePlan(
    "posts",
    "posts",
    ("id",),
    ("id",),
    (ID, ColumnPlan("user", "user", "BIGINT", declared="INTEGER", seen="2 integers, 1 null")),
    foreign_keys=(ForeignKeyPlan("fk_posts_1", ("user",), "users", ("id",), on_delete="CASCADE"),),
    rows=3,
)
NOTE = Finding("n1", "note", "users", "compared by characters", "name")
DECIDE = Finding("d1", "decide", "posts", "the trigger stays behind")
STOP = Finding(
    "s1",
    "stop",
    "users",
    "text that is not UTF-8",
    "name",
    rows=1,
    examples=(Example("3", "CAST(x'ff' AS TEXT)"),),
    query='SELECT id FROM "users" WHERE …',
)
PLAN = Plan(
    "app.db",
    "mysql://app@db.example.org:3306/shop",
    "0123abcd",
    SERVER,
    (USERS, POSTS),
    (ObjectPlan("trigger", "stamp", "posts", "CREATE TRIGGER stamp AFTER INSERT ON posts BEGIN SELECT 1; END"),),
    (NOTE, DECIDE, STOP),
)


def anything(kind: Any) -> st.SearchStrategy[Any]:
    """Whatever a field of that type may hold."""
    if is_dataclass(kind):
        return every(kind)
    if get_origin(kind) is tuple:
        return st.lists(anything(get_args(kind)[0]), max_size=2).map(tuple)
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    plain = {str: st.text(max_size=12), int: st.integers(-(2**70), 2**70), bool: st.booleans(), type(None): st.none()}
    return st.one_of([plain[one] for one in get_args(kind) or (kind,)])


def every(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a dataclass, with all fields drawn; those with a default may keep it."""
    hints = get_type_hints(kind)
    return st.builds(
        kind,
        **{
            field.name: anything(hints[field.name])
            if field.default is MISSING
            else st.just(field.default) | anything(hints[field.name])
            for field in fields(kind)
        },
    )
