"""MySQL's and MariaDB's error numbers as this package's errors.

Numbers: https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html and
https://mariadb.com/kb/en/mariadb-error-code-reference/; those from 2000 to 2999 are the client's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ssl import SSLCertVerificationError
from typing import NamedTuple

import pymysql

from ..errors import (
    BackendReadOnly,
    BackendRejected,
    BackendTimeout,
    BackendUnavailable,
    Conflict,
    IntegrityViolation,
    OutOfSpace,
    PostrMagicError,
    UniqueViolation,
)

UNIQUE = frozenset({1062, 1586, 1022, 1169})


def _table(*rows: tuple[type[PostrMagicError], str, Iterable[int]]) -> dict[int, tuple[type[PostrMagicError], str]]:
    return {code: (kind, text) for kind, text, codes in rows for code in codes}


_BY_CODE = _table(
    (Conflict, "another transaction was in the way; this one was rolled back", (1020, 1205, 1213, 3572)),
    (BackendReadOnly, "the server takes no writes", (1290, 1836)),
    (OutOfSpace, "the server's disk or memory is full", (3, 28, 1021, 1037, 1038, 1041, 1114)),
    (BackendTimeout, "the statement took too long and was stopped", (1317, 1969, 3024)),
    (BackendUnavailable, "the server takes no further connection", (1040, 1129, 1203)),
    (BackendUnavailable, "the server ended the connection", (1053, 1152, 1158, 1159, 1160, 1161, 1927, 4031)),
    (BackendUnavailable, "the server cannot be reached", (0, 2002, 2003, 2005, 2006, 2013, 2014, 2045, 2055)),
    (BackendRejected, "db.read() takes no writes: use db.write()", (1792,)),
    (BackendRejected, "the statement is larger than the server's max_allowed_packet", (1153,)),
    (BackendRejected, "the server offers no TLS, which ssl_ca asks for", (2026,)),
    (BackendRejected, "access was denied; check user, password and rights", (1044, 1045, 1142, 1143, 1227, 1698)),
    (IntegrityViolation, "a column that must not be NULL is NULL or has no default", (1048, 1364)),
    (IntegrityViolation, "a foreign key refused the row", (1216, 1217, 1451, 1452)),
    (IntegrityViolation, "a CHECK constraint refused the row", (3819, 4025)),
    (IntegrityViolation, "a value does not fit its column", (1264, 1265, 1292, 1366, 1367, 1406, 1411, 1525, 1690)),
)
# Errors whose text names tables, columns and users, but repeats no value. All other texts are withheld.
_HARMLESS_TEXT = frozenset(
    {1020, 1044, 1045, 1048, 1049, 1050, 1051, 1054, 1060, 1061, 1091, 1142, 1146, 1205, 1213, 1290, 1364, 1406, 1792}
)
_SYNTAX = 1064
_KEY = re.compile(r"for key '([^']*)'$")


class Covered(NamedTuple):
    """What a key covers, as far as it is known."""

    table: str | None = None
    columns: tuple[str, ...] = ()


_UNKNOWN = Covered()


def code_of(error: BaseException) -> int:
    """The number that the server or the driver gave; -1 without one."""
    code = error.args[0] if error.args else None
    return code if isinstance(code, int) else -1


def key_of(error: BaseException) -> str | None:
    """Name of the violated key, as the server wrote it: ``name`` (MariaDB) or ``table.name`` (MySQL)."""
    found = _KEY.search(str(error.args[1])) if len(error.args) > 1 else None
    return found.group(1) if found else None


def ours(error: BaseException) -> PostrMagicError | None:
    """The error of ours for a driver's, of which no more is known; ``None`` for any other."""
    return translated(error) if isinstance(error, pymysql.Error) else None


def translated(error: pymysql.Error, *, key: Covered = _UNKNOWN, bound: bool = True) -> PostrMagicError:
    """The error of ours; ``key``: what a violated one covers, ``bound``: whether the statement had parameters.

    The driver's own text loses what may be a value.
    """
    code = code_of(error)
    made = _ours(error, code, key)
    harmless = code in _HARMLESS_TEXT or 2000 <= code < 3000 or (code == _SYNTAX and not bound)
    if not harmless:
        # "Duplicate entry '…' for key", "near '…'": it stays in the chain as __cause__ and would be logged with it.
        error.args = (error.args[0] if error.args else code, "(text withheld: it may repeat values)")
    return made


def _ours(error: pymysql.Error, code: int, key: Covered) -> PostrMagicError:
    if code in UNIQUE:
        constraint = (key_of(error) or "").rpartition(".")[2] or None
        named = ", ".join(key.columns) or constraint or "a key"
        return UniqueViolation(
            f"the row exists already: {named} must be unique",
            constraint=constraint,
            table=key.table,
            columns=key.columns,
        )
    if _timed_out(error):
        return BackendTimeout(f"the server gave no answer within the time-out (MySQL error {code})")
    if any(isinstance(reason, SSLCertVerificationError) for reason in _reasons(error)):
        return BackendUnavailable(
            f"the server's certificate was not accepted: check ssl_ca and the host's name (MySQL error {code})"
        )
    kind, text = _BY_CODE.get(code, (BackendRejected, "the server refused the statement"))
    return kind(f"{text} (MySQL error {code})")


def _timed_out(error: BaseException) -> bool:
    return any(isinstance(reason, TimeoutError) for reason in _reasons(error))


def _reasons(error: BaseException) -> tuple[object, ...]:
    """PyMySQL reports a time-out or a bad certificate as a lost connection, and keeps the reason beside it."""
    return error.__context__, error.__cause__, getattr(error, "original_exception", None)
