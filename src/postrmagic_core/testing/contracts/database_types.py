"""The database contract on values: what is stored comes back, exactly."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import insert, select

from postrmagic_core.database import DatabaseManager

from .database_rows import samples

_INSTANTS = [
    datetime(2026, 3, 29, 2, 30, 0, 123456, tzinfo=UTC),  # does not exist in Europe's summer time
    datetime(1000, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
]
VALUES: list[tuple[str, object]] = [
    ("raw", b""),
    ("raw", bytes(range(256))),
    ("raw", b"\x00\xff" * 40_000),  # more than MySQL's BLOB holds
    ("body", ""),
    ("body", " both ends \t\n "),
    ("body", "\U0001f600 \U0001d11e e\u0301 \u00e9 \u202e"),
    ("body", "quote ' \" ` ; -- \\ %s :name \x00 end"),
    *(("at", each.replace(tzinfo=None)) for each in _INSTANTS),
    ("big", 2**63 - 1),
    ("big", -(2**63)),
    ("ratio", 0.1 + 0.2),
    ("ratio", -1.7e308),
    ("flag", True),
    ("flag", False),
    *((column, None) for column in ("raw", "body", "at", "big", "ratio", "flag")),
]
DECIMALS = [Decimal("12345678901234567890.0123456789"), Decimal("-0.0000000001"), Decimal("2.5500000000")]
# All different to who compares text; equal, in pairs, under the collations that servers start with.
LOOK_ALIKES = ["a", "A", "\u00e1", "\u00e4", "a ", " a", "\u00df", "ss", "e\u0301", "\u00e9", "0", "00", "\U0001d11e"]


class TypePromises:
    """Mixed into :class:`~postrmagic_core.testing.contracts.database.DatabaseContract`."""

    def test_a_value_comes_back(self, database: DatabaseManager) -> None:
        """Each equal and of the same type."""
        self.check(database, VALUES)

    @pytest.mark.promise("decimals")
    def test_a_decimal_comes_back(self, database: DatabaseManager) -> None:
        """To their last digit; row ``decimals``, for databases that have them."""
        self.check(database, [("price", given) for given in DECIMALS])

    def check(self, database: DatabaseManager, values: Sequence[tuple[str, object]]) -> None:
        """Write each into a row of its own on the sync face, read it on both."""

        async def read(number: int, column: str) -> Any:
            async with database.aio.read() as tx:
                return await tx.scalar(select(samples.c[column]).where(samples.c.id == number))

        for number, (column, given) in enumerate(values):
            database.transact(lambda tx, row: tx.execute(insert(samples).values(row)), {"id": number, column: given})
            with database.read() as tx:
                one = tx.scalar(select(samples.c[column]).where(samples.c.id == number))
            found = [one, asyncio.run(read(number, column))]
            assert found == [given, given], (column, given)
            assert {type(each) for each in found} == {type(given)}, (column, given)

    def test_look_alike_keys_are_different(self, database: DatabaseManager) -> None:
        """Case, accents, trailing spaces and composition count in a Key column: each finds itself alone."""
        rows = [{"id": number, "name": name} for number, name in enumerate(LOOK_ALIKES)]
        database.transact(lambda tx: tx.execute(insert(samples), rows))
        with database.read() as tx:
            for row in rows:
                found = tx.execute(select(samples.c.id, samples.c.name).where(samples.c.name == row["name"])).all()
                assert [dict(each._mapping) for each in found] == [row]

    def test_many_rows_arrive_complete_and_in_order(self, database: DatabaseManager) -> None:
        """More than any driver's batch."""
        rows = [{"id": number, "body": "x" * (number % 97)} for number in range(3000)]
        database.transact(lambda tx: tx.execute(insert(samples), rows))
        with database.read() as tx:
            found = tx.execute(select(samples.c.id, samples.c.body).order_by(samples.c.id)).all()
        assert [dict(each._mapping) for each in found] == rows
