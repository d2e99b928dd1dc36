"""Which type a column becomes, from what is declared and what is stored in it. Pure."""

from __future__ import annotations

import re
from dataclasses import replace

from ..interface import Server
from ..source.schema import ColumnStats, SourceColumn
from .choices import Choice, Doubt
from .choose_numbers import declared_decimal, empty_decimal, integers, is_date, numbers

# As many characters as any number takes that is written as text.
_NUMBER_LENGTH = 24
# Bytes; a column gets the first of these that has four times the room it needs.
_SIZES = ((65_535, ""), (16_777_215, "MEDIUM"), (4_294_967_295, "LONG"))
# Of utf8mb4 characters, in a row of 65,535 bytes.
LONGEST_VARCHAR = 16_383
# Bytes that a TEXT or a BLOB has.
LARGE_TEXT = 65_535
_LENGTH = re.compile(r"CHAR[A-Z ]*\(\s*(\d+)\s*\)")
_NUMERIC = ("integer", "numeric", "real")
_WITH_TIME, _DAY = "%Y-%m-%d %H:%M:%S", "%Y-%m-%d"
# What a value takes of a packet beside itself: the statement's words, and the other columns of its row.
_PACKET_ROOM = 4096


def choose(column: SourceColumn, stats: ColumnStats, server: Server, length: int | None = None) -> Choice:
    """The type of ``column``.

    ``length`` is for text and bytes of a key: how many characters, or bytes, there is room for; ``None`` elsewhere.
    """
    chosen = _chosen(column, stats, server, length)
    limit = server.max_allowed_packet - _PACKET_ROOM
    if stats.bytes <= limit:
        return chosen
    text = f"a value of {stats.bytes:,} bytes, and the server takes {limit:,}: raise its max_allowed_packet"
    large = Doubt("packet", "stop", text, f"length(CAST({{column}} AS BLOB)) > {limit}")
    return replace(chosen, doubts=(*chosen.doubts, large))


def declared_length(column: SourceColumn) -> int | None:
    """How many characters are declared."""
    found = _LENGTH.search(column.declared.upper())
    return max(1, int(found[1])) if found else None


def roomy(length: int) -> int:
    """A length with room for what comes later."""
    return length + length // 2


def text_size(column: SourceColumn, stats: ColumnStats) -> int:
    """The most characters, or bytes where there are only bytes, that a value takes as it is written, or the default."""
    most = max(stats.characters if stats.texts else stats.bytes, len(column.default.replace("''", "'")) - 2)
    return max(most, _NUMBER_LENGTH) if stats.texts and (stats.integers or stats.reals) else most


def _chosen(column: SourceColumn, stats: ColumnStats, server: Server, length: int | None) -> Choice:
    figures = stats.integers + stats.reals
    if stats.blobs:
        return _bytes(column, stats, length)
    if stats.texts:
        if not figures:
            return _date(column, stats) or _text(column, stats, server, length)
        return _mixed(column, stats, server, length)
    if figures:
        return numbers(column, stats) or _as_text(column, stats, server, length)
    return _empty(column, server, length)


def _mixed(column: SourceColumn, stats: ColumnStats, server: Server, length: int | None) -> Choice:
    chosen = _text(column, stats, server, length)
    there = f"text ({stats.texts:,}) among numbers ({stats.integers + stats.reals:,})"
    if column.affinity in _NUMERIC:
        text = f"{there}: all become text, which SQLite, going back, would make numbers again where they look like one"
        doubt = Doubt("mixed", "decide", text, "typeof({column}) = 'text'")
        return replace(chosen, reason="text and numbers", doubts=(*chosen.doubts, doubt))
    text = f"{there} in a column without a type: no column of the target tells 1 from '1'"
    doubt = Doubt("mixed", "stop", text, "typeof({column}) IN ('integer', 'real')")
    return replace(chosen, reason="text and numbers", doubts=(*chosen.doubts, doubt))


def _as_text(column: SourceColumn, stats: ColumnStats, server: Server, length: int | None) -> Choice:
    wide = replace(stats, characters=_NUMBER_LENGTH, bytes=_NUMBER_LENGTH)
    text = "integers beyond 2**53 among reals of more digits than a DECIMAL has: they can move only as text"
    doubt = Doubt("mixed", "decide", text, "typeof({column}) = 'integer' AND abs({column}) > 9007199254740992")
    return replace(_text(column, wide, server, length), reason="numbers that no numeric type holds", doubts=(doubt,))


def _text(column: SourceColumn, stats: ColumnStats, server: Server, length: int | None) -> Choice:
    collation, doubts = _collation(column, server)
    kind, reason = _text_type(column, stats, length)
    return Choice(kind, "text", reason, collation, doubts=doubts)


def _text_type(column: SourceColumn, stats: ColumnStats, length: int | None) -> tuple[str, str]:
    declared = declared_length(column)
    characters = text_size(column, stats)
    size = max(stats.bytes, characters)
    too_short = declared is not None and characters > declared
    widened = (
        f"declared {column.declared}, but a value, or the default, has {characters:,} characters" if too_short else ""
    )
    if length is not None:
        return f"VARCHAR({length})", widened or "part of a key, with room"
    fitting = roomy(characters) if too_short else declared
    if fitting is not None and max(characters, fitting) <= LONGEST_VARCHAR:
        return f"VARCHAR({fitting})", widened or "as declared, and every value fits"
    several = "; dates of several grammars, or none" if stats.texts and is_date(column) else ""
    return f"{_sized(size)}TEXT", (widened or f"four times the {size:,} bytes of the longest") + several


def _collation(column: SourceColumn, server: Server) -> tuple[str, tuple[Doubt, ...]]:
    if column.collation == "NOCASE" and server.nocase == server.exact:
        text = f"NOCASE becomes {server.exact}: this server has no collation to which only capitals do not count"
        return server.exact, (Doubt("nocase", "decide", text),)
    if column.collation == "NOCASE":
        text = f"NOCASE becomes {server.nocase}: capitals count in no script, where SQLite's count but in a to z"
        return server.nocase, (Doubt("nocase", "note", text),)
    if column.collation == "RTRIM":
        return "utf8mb4_bin", (Doubt("rtrim", "note", "RTRIM becomes utf8mb4_bin: spaces at the end do not count"),)
    if column.collation != "BINARY":
        text = f"the application's own collation {column.collation} becomes {server.exact}, which compares characters"
        return server.exact, (Doubt("collation", "decide", text),)
    return server.exact, ()


def _bytes(column: SourceColumn, stats: ColumnStats, length: int | None) -> Choice:
    others = stats.texts + stats.integers + stats.reals
    doubts: tuple[Doubt, ...] = ()
    if others:
        text = f"blobs ({stats.blobs:,}) among values of other classes ({others:,}): no column of the target has both"
        rare = "typeof({column}) = 'blob'" if stats.blobs <= others else "typeof({column}) NOT IN ('blob', 'null')"
        doubts = (Doubt("mixed", "stop", text, rare),)
    if length is not None:
        return Choice(f"VARBINARY({length})", "bytes", "part of a key, with room", doubts=doubts)
    reason = f"four times the {stats.bytes:,} bytes of the longest"
    return Choice(f"{_sized(stats.bytes)}BLOB", "bytes", reason, doubts=doubts)


def _date(column: SourceColumn, stats: ColumnStats) -> Choice | None:
    if not (stats.grammar and is_date(column)):
        return None
    if "%H" not in stats.grammar and column.declared.upper() == "DATE":
        return Choice("DATE", "date", f"every text is a day, {stats.grammar}", grammar=stats.grammar)
    return _datetime(stats.grammar, stats.grammar_digits, f"every text is a time, {stats.grammar}")


def _datetime(grammar: str, digits: int, reason: str) -> Choice:
    return Choice(f"DATETIME({digits})" if digits else "DATETIME", "datetime", reason, grammar=grammar)


def _empty(column: SourceColumn, server: Server, length: int | None) -> Choice:
    chosen = _declared(column)
    if chosen is None:
        binary = "BLOB" in column.declared.upper()
        nothing = ColumnStats()
        chosen = _bytes(column, nothing, length) if binary else _text(column, nothing, server, length)
    return replace(chosen, reason="as declared: there is no value to go by")


def _declared(column: SourceColumn) -> Choice | None:
    """The type of a column that is empty; ``None`` for text and bytes."""
    word = column.declared.upper()
    if word == "DATE":
        return Choice("DATE", "date", "", grammar=_DAY)
    if is_date(column):
        by_server = "CURRENT_TIMESTAMP" in column.default.upper() or "datetime(" in column.default.lower()
        return _datetime(_WITH_TIME, 0, "") if by_server else _datetime(_WITH_TIME + ".%f", 6, "")
    if column.affinity == "integer" or word in ("BOOL", "BOOLEAN"):
        return integers(column, ColumnStats())
    if column.affinity == "real":
        return Choice("DOUBLE", "real", "")
    return empty_decimal(column) if declared_decimal(column) else None


def _sized(size: int) -> str:
    return next(word for most, word in _SIZES if size * 4 <= most or word == "LONG")
