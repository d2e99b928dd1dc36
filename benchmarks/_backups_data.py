"""Rows of many kinds, and files that do not shrink."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Column, Float, Integer, MetaData, String, Table, Text

from postrmagic_core.database import DatabaseManager

metadata = MetaData()
FILE = Table(
    "files",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("title", String(200), nullable=False),
    Column("words", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("score", Float(53), nullable=True),
)
_WORDS = (
    "opera",
    "jazz",
    "cinema",
    "gallery",
    "square",
    "night",
    "summer",
    "choir",
    "market",
    "harbour",
    "late",
    "free",
)
_BATCH, _BYTES = 5000, 50_000


class Data:
    """``rows`` rows and ``files`` files of 50 kB, the same for the same seed."""

    def __init__(self, rows: int, files: int, seed: int) -> None:
        self._rows, self._files, self._seed = rows, files, seed

    def write_rows(self, url: str) -> None:
        """Into an empty database, with the package's own tables."""
        with DatabaseManager(url) as database:
            database.upgrade()
            with database.write() as tx:
                metadata.create_all(tx.connection)
            for batch in self._batches():
                with database.write() as tx:
                    tx.execute(FILE.insert(), batch)

    def write_files(self, folder: Path) -> None:
        """Into a new directory, a hundred to a folder."""
        dice = random.Random(self._seed)
        for number in range(self._files):
            path = folder / f"{number // 100:03}" / f"{number:06}.jpeg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(dice.randbytes(_BYTES))

    def _batches(self) -> Iterator[list[dict[str, Any]]]:
        dice = random.Random(self._seed)
        for start in range(0, self._rows, _BATCH):
            yield [self._row(number, dice) for number in range(start, min(start + _BATCH, self._rows))]

    @staticmethod
    def _row(number: int, dice: random.Random) -> dict[str, Any]:
        return {
            "id": number + 1,
            "title": f"{dice.choice(_WORDS)} {dice.choice(_WORDS)} {number}",
            "words": " ".join(dice.choices(_WORDS, k=dice.randint(5, 30))),
            "size": dice.getrandbits(40),
            "score": None if number % 7 == 0 else dice.random(),
        }
