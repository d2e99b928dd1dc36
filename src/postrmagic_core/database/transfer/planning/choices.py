"""What a choice of a type says: the type, its reason, and the doubts about the values. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..interface import Severity
from ..source.schema import ColumnStats

Kind: TypeAlias = Literal["integer", "real", "decimal", "text", "bytes", "datetime", "date"]


@dataclass(frozen=True, slots=True)
class Doubt:
    """What a person should know of a column's values.

    ``kind`` is the first part of the finding's id. ``where`` is SQLite's condition for the rows, in which ``{column}``
    stands for the quoted column; empty where no row is to be shown.
    """

    kind: str
    severity: Severity
    text: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """A column's type in the target, as MySQL writes it; ``kind`` is what expressions make of it."""

    type: str
    kind: Kind
    reason: str
    collation: str = ""
    grammar: str = ""
    doubts: tuple[Doubt, ...] = ()

    @property
    def digits(self) -> int:
        """Of a fraction of a second."""
        return int(self.type[9:-1]) if self.type.startswith("DATETIME(") else 0

    @property
    def length(self) -> int | None:
        """Of a VARCHAR in characters, of a VARBINARY in bytes; ``None`` for every other type."""
        word, _, rest = self.type.partition("(")
        return int(rest[:-1]) if word in ("VARCHAR", "VARBINARY") else None


def seen(stats: ColumnStats) -> str:
    """What is stored in a column, in words."""
    parts = []
    if stats.integers:
        parts.append(f"integers from {stats.least} to {stats.greatest}")
    if stats.reals:
        parts.append(f"reals, at most {stats.fraction_digits} digits after the point")
    if stats.texts:
        four = f", {stats.four_byte:,} with 4-byte characters" if stats.four_byte else ""
        parts.append(f"text, at most {stats.characters:,} characters{_bytes_of(stats)}{four}")
    if stats.blobs:
        parts.append(f"blobs, at most {stats.bytes:,} bytes")
    if stats.nulls:
        parts.append(f"{stats.nulls:,} NULL")
    return "; ".join(parts) or "nothing"


def _bytes_of(stats: ColumnStats) -> str:
    return f" and {stats.bytes:,} bytes" if not stats.blobs else ""
