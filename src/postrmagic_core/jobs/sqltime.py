"""The database's own clock in SQL, so that leases do not depend on the clocks of workers."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class now_us(FunctionElement[int]):  # noqa: N801 - reads as the SQL function it stands for
    """Microseconds since the epoch as the database sees them (on SQLite: whole milliseconds)."""

    type = BigInteger()
    inherit_cache = True
    name = "now_us"


@compiles(now_us, "sqlite")
def _sqlite(element: now_us, compiler: Any, **options: Any) -> str:
    # julianday() is a float of days: rounded to the millisecond that SQLite's clock has.
    return "(CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000)"


@compiles(now_us, "mysql")
@compiles(now_us, "mariadb")
def _server(element: now_us, compiler: Any, **options: Any) -> str:
    # UTC: the difference of two local times is wrong in the hour that the clocks repeat.
    return "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))"
