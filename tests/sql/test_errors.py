"""Errors are told apart by number, and nothing they say repeats a value."""

from __future__ import annotations

import sqlite3
from typing import Any

import pymysql
import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, UniqueConstraint

from postrmagic_core import errors
from postrmagic_core._sql import mysql_errors, sqlite_errors
from postrmagic_core._sql.constraints import columns_of, name_of, table_of

CANARY = "canary-7f3a"
table = Table(
    "t",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("a", String(9)),
    Column("b", String(9)),
    UniqueConstraint("a", "b", name="uq_ab"),
)


def mysql(code: int, message: str = f"'{CANARY}'", kind: type[pymysql.Error] = pymysql.OperationalError) -> Any:
    """An error as PyMySQL raises it."""
    return kind(code, message)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1020, errors.Conflict),
        (1205, errors.Conflict),
        (1213, errors.Conflict),
        (1290, errors.BackendReadOnly),
        (1836, errors.BackendReadOnly),
        (1021, errors.OutOfSpace),
        (1114, errors.OutOfSpace),
        (1969, errors.BackendTimeout),
        (3024, errors.BackendTimeout),
        (1040, errors.BackendUnavailable),
        (1927, errors.BackendUnavailable),
        (2003, errors.BackendUnavailable),
        (2006, errors.BackendUnavailable),
        (2013, errors.BackendUnavailable),
        (1045, errors.BackendRejected),
        (1064, errors.BackendRejected),
        (1153, errors.BackendRejected),
        (65000, errors.BackendRejected),
        (1048, errors.IntegrityViolation),
        (1452, errors.IntegrityViolation),
        (4025, errors.IntegrityViolation),
        (1062, errors.UniqueViolation),
    ],
)
def test_mysql_numbers_have_their_errors(code: int, kind: type[Exception]) -> None:
    """The text plays no part, and is not repeated; what might quote a value is gone from the cause too."""
    raised = mysql(code)
    ours = mysql_errors.translated(raised)
    assert type(ours) is kind
    assert CANARY not in str(ours)
    quotes_values = {1062, 1064, 1969, 3024, 1114, 1021, 1452, 4025, 1927, 1040, 1153, 1836}
    if code in quotes_values:
        assert CANARY not in str(raised)


def test_a_lost_connection_by_time_out_is_a_time_out() -> None:
    """PyMySQL has one number for both; the reason it keeps tells them apart, not its words."""
    slow, dead, refused = mysql(2013), mysql(2013), mysql(2003)
    slow.__context__, dead.__context__ = TimeoutError(), ConnectionResetError()
    refused.original_exception = TimeoutError()
    kinds = [type(mysql_errors.translated(error)) for error in (slow, dead, refused)]
    assert kinds == [errors.BackendTimeout, errors.BackendUnavailable, errors.BackendTimeout]


def test_an_error_without_a_number_is_a_rejection() -> None:
    """The driver refused by itself."""
    assert type(mysql_errors.translated(pymysql.InterfaceError())) is errors.BackendRejected
    assert (
        type(sqlite_errors.translated(sqlite3.ProgrammingError("x"), table=None, reading=False))
        is errors.BackendRejected
    )


@pytest.mark.parametrize(
    ("message", "key"),
    [
        ("Duplicate entry 'x' for key 'uq_ab'", "uq_ab"),
        ("Duplicate entry 'x' for key 't.uq_ab'", "t.uq_ab"),
        ("Duplicate entry 'for key 'evil'' for key 'uq_ab'", "uq_ab"),
        ("Eintrag doppelt", None),
    ],
)
def test_only_the_key_is_taken_from_a_text(message: str, key: str | None) -> None:
    """The last name counts: a value may look like one."""
    assert mysql_errors.key_of(mysql(1062, message)) == key


def sqlite(code: int, message: str = "") -> sqlite3.Error:
    """An error as sqlite3 raises it."""
    error = sqlite3.OperationalError(message)
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (sqlite3.SQLITE_BUSY, errors.Conflict),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, errors.Conflict),
        (sqlite3.SQLITE_LOCKED, errors.Conflict),
        (sqlite3.SQLITE_READONLY, errors.BackendReadOnly),
        (sqlite3.SQLITE_FULL, errors.OutOfSpace),
        (sqlite3.SQLITE_IOERR_FSYNC, errors.BackendUnavailable),
        (sqlite3.SQLITE_CANTOPEN, errors.BackendUnavailable),
        (sqlite3.SQLITE_CORRUPT, errors.BackendRejected),
        (sqlite3.SQLITE_ERROR, errors.BackendRejected),
        (sqlite3.SQLITE_CONSTRAINT_CHECK, errors.IntegrityViolation),
        (sqlite3.SQLITE_CONSTRAINT_UNIQUE, errors.UniqueViolation),
    ],
)
def test_sqlite_codes_have_their_errors(code: int, kind: type[Exception]) -> None:
    """Extended codes count by their primary code."""
    assert type(sqlite_errors.translated(sqlite(code, "text"), table=None, reading=False)) is kind


@pytest.mark.parametrize(
    ("message", "constraint", "owner", "columns"),
    [
        ("UNIQUE constraint failed: t.a, t.b", "uq_ab", "t", ("a", "b")),
        ("UNIQUE constraint failed: other.id", None, "other", ("id",)),
        ("UNIQUE constraint failed: index 'uq_lower'", "uq_lower", None, ()),
        ("UNIQUE constraint failed: index 'uq_ab'", "uq_ab", "t", ()),
        ("", None, None, ()),
    ],
)
def test_sqlite_names_are_identifiers(
    message: str, constraint: str | None, owner: str | None, columns: tuple[str, ...]
) -> None:
    """Constraint, table and columns, as far as SQLite and the metadata tell."""
    ours = sqlite_errors.translated(sqlite(sqlite3.SQLITE_CONSTRAINT_UNIQUE, message), table=table, reading=False)
    assert isinstance(ours, errors.UniqueViolation)
    assert (ours.constraint, ours.table, ours.columns) == (constraint, owner, columns)


def test_metadata_knows_its_constraints() -> None:
    """Both ways, and only for tables."""
    assert name_of(table, ["b", "a"]) == "uq_ab"
    assert columns_of(table, "uq_ab") == ("a", "b")
    assert columns_of(table, "PRIMARY") == ("id",)
    assert (name_of(None, ["a"]), columns_of(None, "PRIMARY"), columns_of(table, "absent")) == (None, (), ())
    assert (table_of(table, "uq_ab"), table_of(table, "absent"), table_of(None, "uq_ab")) == ("t", None, None)
