"""Which types a plan may name, and which storage classes of SQLite's each can hold. Pure.

CHAR and BINARY are not among them, as they lose or add what stands at the end; nor is FLOAT, which rounds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_SHAPE = re.compile(r"([A-Z]+)(?:\((\d+)(?:, ?(\d+))?\))?( UNSIGNED)?")
_CLASS = re.compile(r"\b(integer|real|text|blob)s?\b")
_NUMBERS = frozenset({"integer", "real"})
_TEXT = _NUMBERS | {"text"}
_BYTES = frozenset({"text", "blob"})
_INTEGERS = ("TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT")

_Sizes = tuple[int | None, int | None]
# For each word: the storage classes it can hold, and whether these figures may stand behind it.
_KNOWN: Final[dict[str, tuple[frozenset[str], Callable[[_Sizes], bool], str]]] = {
    **{word: (frozenset({"integer"}), lambda sizes: sizes in ((None, None), (1, None)), word) for word in _INTEGERS},
    "DOUBLE": (_NUMBERS, lambda sizes: sizes == (None, None), "DOUBLE"),
    "DECIMAL": (_NUMBERS, lambda sizes: _decimal(*sizes), "DECIMAL(p,s), p at most 65, s at most 30 and at most p"),
    "VARCHAR": (_TEXT, lambda sizes: _within(sizes, 16_383), "VARCHAR(n), n at most 16383"),
    "VARBINARY": (_BYTES, lambda sizes: _within(sizes, 65_532), "VARBINARY(n), n at most 65532"),
    "DATE": (frozenset({"text"}), lambda sizes: sizes == (None, None), "DATE"),
    "DATETIME": (
        frozenset({"text"}),
        lambda sizes: sizes[1] is None and (sizes[0] or 0) <= 6,
        "DATETIME(f), f at most 6",
    ),
    **{
        word: (_TEXT, lambda sizes: sizes == (None, None), word)
        for word in ("TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT")
    },
    **{
        word: (_BYTES, lambda sizes: sizes == (None, None), word)
        for word in ("TINYBLOB", "BLOB", "MEDIUMBLOB", "LONGBLOB")
    },
}


def too_long(kind: str) -> bool:
    """Whether a key can hold no more of such a column than its beginning."""
    return _word(kind).endswith(("TEXT", "BLOB"))


def holds_text(kind: str) -> bool:
    """Whether such a column has a collation."""
    return _word(kind) == "VARCHAR" or _word(kind).endswith("TEXT")


def temporal(kind: str) -> bool:
    """Whether such a column holds dates, which are written in some grammar in the source."""
    return _word(kind) in ("DATE", "DATETIME")


def counts(kind: str) -> bool:
    """Whether such a column can be AUTO_INCREMENT."""
    return _word(kind) in _INTEGERS


def type_problem(kind: str, seen: str) -> str | None:
    """What is wrong with a type for a column in which ``seen`` was found, which names the storage classes."""
    found = _SHAPE.fullmatch(kind.upper())
    if found is None or found[1] not in _KNOWN:
        return f"{kind} is no type that holds values exactly; expected one of {', '.join(_KNOWN)}"
    holds, allowed, shape = _KNOWN[found[1]]
    sizes = tuple(None if one is None else int(one) for one in (found[2], found[3]))
    if not allowed((sizes[0], sizes[1])) or (found[4] and found[1] not in _INTEGERS):
        return f"{kind} should be written {shape}"
    lost = sorted(set(_CLASS.findall(seen.lower())) - holds)
    return f"{kind} cannot hold what was seen ({seen})" if lost else None


def _decimal(digits: int | None, scale: int | None) -> bool:
    return digits is not None and 0 < digits <= 65 and (scale or 0) <= min(30, digits)


def _within(sizes: _Sizes, most: int) -> bool:
    return sizes[0] is not None and 0 < sizes[0] <= most and sizes[1] is None


def _word(kind: str) -> str:
    found = _SHAPE.fullmatch(kind.upper())
    return found[1] if found else ""
