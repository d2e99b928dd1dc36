"""The database contract on values: what is stored comes back, exactly."""

from __future__ import annotations

import asyncio
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
VALUES: list[Any] = [
    pytest.param("raw", b"", id="no bytes"),
    pytest.param("raw", bytes(range(256)), id="every byte"),
    pytest.param("raw", b"\x00\xff" * 40_000, id="more than 64 KiB"),
    pytest.param("body", "", id="empty text"),
    pytest.param("body", " both ends \t\n ", id="white space"),
    pytest.param("body", "\U0001f600 \U0001d11e e\u0301 \u00e9 \u202e", id="beyond the basic plane"),
    pytest.param("body", "quote ' \" ` ; -- \\ %s :name \x00 end", id="hostile text"),
    *(pytest.param("at", each.replace(tzinfo=None), id=f"at {each.year}") for each in _INSTANTS),
    pytest.param("big", 2**63 - 1, id="largest integer"),
    pytest.param("big", -(2**63), id="smallest integer"),
    pytest.param("ratio", 0.1 + 0.2, id="float"),
    pytest.param("ratio", -1.7e308, id="large float"),
    pytest.param("flag", True, id="true"),
    pytest.param("flag", False, id="false"),
    *(pytest.param(column, None, id=f"{column} null") for column in ("raw", "body", "at", "big", "ratio", "flag")),
]
DECIMALS = [Decimal("12345678901234567890.0123456789"), Decimal("-0.0000000001"), Decimal("2.5500000000")]
# All different to who compares text; equal, in pairs, under the collations that servers start with.
LOOK_ALIKES = ["a", "A", "\u00e1", "\u00e4", "a ", " a", "\u00df", "ss", "e\u0301", "\u00e9", "0", "00", "\U0001d11e"]


class TypePromises:
    """Mixed into :class:`~postrmagic_core.testing.contracts.database.DatabaseContract`."""

    @pytest.mark.parametrize(("column", "given"), VALUES)
    def test_a_value_comes_back(self, database: DatabaseManager, column: str, given: object) -> None:
        """Equal and of the same type."""
        self.check(database, column, given)

    @pytest.mark.promise("decimals")
    @pytest.mark.parametrize("given", DECIMALS)
    def test_a_decimal_comes_back(self, database: DatabaseManager, given: Decimal) -> None:
        """To its last digit; row ``decimals``, for databases that have them."""
        self.check(database, "price", given)

    def check(self, database: DatabaseManager, column: str, given: object) -> None:
        """Write on the sync face, read on both."""

        async def read() -> Any:
            async with database.aio.read() as tx:
                return await tx.scalar(select(samples.c[column]))

        database.transact(lambda tx: tx.execute(insert(samples).values({"id": 1, column: given})))
        with database.read() as tx:
            found = [tx.scalar(select(samples.c[column])), asyncio.run(read())]
        assert found == [given, given]
        assert {type(each) for each in found} == {type(given)}

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
