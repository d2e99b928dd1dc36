"""Text and bytes, there and back. Pure.

A batch's values are joined, escaped and parted again as one string: the separator has no border (no beginning that is
also its end), so that it occurs exactly once between two values, or else it is found more often and each value is
escaped by itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

from ..interface import Value
from .common import NULL_CANONICAL, NULL_FIELD, all_of, first, foreign, present, with_nulls

# Bytes; None: as many characters as the type says.
TEXT_LIMITS: Final = {
    "CHAR": None,
    "VARCHAR": None,
    "TINYTEXT": 2**8 - 1,
    "TEXT": 2**16 - 1,
    "MEDIUMTEXT": 2**24 - 1,
    "LONGTEXT": 2**32 - 1,
}
BYTE_LIMITS: Final = {
    "BINARY": None,
    "VARBINARY": None,
    "TINYBLOB": 2**8 - 1,
    "BLOB": 2**16 - 1,
    "MEDIUMBLOB": 2**24 - 1,
    "LONGBLOB": 2**32 - 1,
}
# Hashed by themselves, so that a row's canonical text has room in max_allowed_packet.
_LARGE = ("MEDIUM", "LONG")
_TEXTS = frozenset({str})
_BYTES = frozenset({bytes})
_SEPARATOR = "\x00\x01"
_BYTE_SEPARATOR = b"\x00\xfe\xff\x01"
_LEAST, _MOST, _LONGEST_INTEGER = -(2**63), 2**63 - 1, 20
# What repr() makes of an integer or a finite double.
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]\d+)?", re.ASCII)


class _StringForm:
    """What text and bytes share: both are written as bytes."""

    def __init__(self, kind: str, nullable: bool) -> None:
        self._nullable = nullable
        self._large = kind.startswith(_LARGE)

    def canonical_sql(self, column: str) -> str:
        """See :class:`.forms.form.Form`."""
        if self._large:
            return f"COALESCE(SHA2({self._binary_sql(column)}, 256), 'N')"
        binary = self._binary_sql(column)
        return f"IF({column} IS NULL, 'N', CONCAT(LENGTH({binary}), ':', {binary}))"

    def select_sql(self, column: str) -> str:
        """See :class:`.forms.form.Form`."""
        return column

    def _binary_sql(self, column: str) -> str:
        return column

    def _hashed(self, value: bytes) -> bytes:
        return sha256(value).hexdigest().encode() if self._large else b"%d:%b" % (len(value), value)


class TextForm(_StringForm):
    """CHAR to LONGTEXT: text, as long as it has room, without what the type or its character set would change."""

    def __init__(self, kind: str, size: int, collation: str, nullable: bool) -> None:
        super().__init__(kind, nullable)
        limit = TEXT_LIMITS[kind]
        self._bytes = 2**32 if limit is None else limit
        self._characters = size if limit is None else self._bytes
        self._padded = kind == "CHAR"
        self._highest = _highest(collation)

    def misfit(self, values: Sequence[Value]) -> int | None:
        """See :class:`.forms.form.Form`."""
        if all_of(values, kinds=_TEXTS, nullable=self._nullable) and not self._padded and self._highest is None:
            texts: Any = present(values)
            longest = max(map(len, texts), default=0)
            if longest <= self._characters and longest * 4 <= self._bytes and _is_unicode("".join(texts)):
                return None
        return first(values, self._fits, nullable=self._nullable)

    def fields(self, values: Sequence[Value]) -> list[bytes]:
        """See :class:`.forms.form.Form`."""
        texts: Any = present(values)
        joined = _SEPARATOR.join(texts)
        if joined.count(_SEPARATOR) == len(texts) - 1:
            shown = _escaped(joined.encode()).split(_SEPARATOR.encode())
        else:
            shown = [_escaped(text.encode()) for text in texts]
        return with_nulls(values, shown, NULL_FIELD)

    def parameters(self, values: Sequence[Value]) -> list[object]:
        """See :class:`.forms.form.Form`."""
        return list(values)

    def canonicals(self, values: Sequence[Value]) -> list[bytes]:
        """See :class:`.forms.form.Form`."""
        hashed = self._hashed
        return [
            hashed(value.encode(errors="surrogatepass"))
            if type(value) is str
            else NULL_CANONICAL
            if value is None
            else foreign(value)
            for value in values
        ]

    def back(self, stored: Any) -> Value:
        """See :class:`.forms.form.Form`."""
        found: Value = stored
        return found

    def _binary_sql(self, column: str) -> str:
        # Columns of several collations have no common one, and bytes need none.
        text = column if self._highest is None else f"CONVERT({column} USING utf8mb4)"
        return f"CAST({text} AS BINARY)"

    def _fits(self, value: Value) -> bool:
        if type(value) is not str or len(value) > self._characters or not _is_unicode(value):
            return False
        if self._padded and value.endswith(" "):  # the server takes the spaces away when it is read
            return False
        if self._highest is not None and value and max(value) > self._highest:
            return False
        return len(value) * 4 <= self._bytes or len(value.encode()) <= self._bytes


class MixedForm(TextForm):
    """Text among which may be numbers: of a column whose affinity makes numbers of texts that look like one."""

    def misfit(self, values: Sequence[Value]) -> int | None:
        """See :class:`.forms.form.Form`."""
        return first(values, self._fits, nullable=self._nullable)

    def fields(self, values: Sequence[Value]) -> list[bytes]:
        """See :class:`.forms.form.Form`."""
        return super().fields(_as_texts(values))

    def parameters(self, values: Sequence[Value]) -> list[object]:
        """See :class:`.forms.form.Form`."""
        return list(_as_texts(values))

    def canonicals(self, values: Sequence[Value]) -> list[bytes]:
        """See :class:`.forms.form.Form`."""
        return [
            NULL_CANONICAL if value is None else foreign(value) if shown is None else shown
            for value, shown in zip(values, map(self._canonical, values), strict=True)
        ]

    def back(self, stored: Any) -> Value:
        """See :class:`.forms.form.Form`."""
        return _number_of(stored) if type(stored) is str else super().back(stored)

    def _canonical(self, value: Value) -> bytes | None:
        if type(value) is str:
            return self._hashed(value.encode(errors="surrogatepass")) if _number_of(value) is value else None
        return self._hashed(repr(value).encode()) if type(value) in (int, float) else None

    def _fits(self, value: Value) -> bool:
        if type(value) is str:
            return _number_of(value) is value and super()._fits(value)
        shown = repr(value)
        return type(value) in (int, float) and _NUMBER.fullmatch(shown) is not None and super()._fits(shown)


class BytesForm(_StringForm):
    """BINARY to LONGBLOB: bytes, or the UTF-8 of text where the source declares text."""

    def __init__(self, kind: str, size: int, text: bool, nullable: bool) -> None:
        super().__init__(kind, nullable)
        limit = BYTE_LIMITS[kind]
        self._limit = size if limit is None else limit
        self._padded = kind == "BINARY"
        self._text = text
        self._kinds = _TEXTS if text else _BYTES

    def misfit(self, values: Sequence[Value]) -> int | None:
        """See :class:`.forms.form.Form`."""
        return first(values, self._fits, nullable=self._nullable)

    def fields(self, values: Sequence[Value]) -> list[bytes]:
        """See :class:`.forms.form.Form`."""
        shown = [self._bytes(value) for value in present(values)]
        joined = _BYTE_SEPARATOR.join(shown)
        if joined.count(_BYTE_SEPARATOR) == len(shown) - 1:
            fields = _escaped(joined).split(_BYTE_SEPARATOR)
        else:
            fields = [_escaped(value) for value in shown]
        return with_nulls(values, fields, NULL_FIELD)

    def parameters(self, values: Sequence[Value]) -> list[object]:
        """See :class:`.forms.form.Form`."""
        return [None if value is None else self._bytes(value) for value in values]

    def canonicals(self, values: Sequence[Value]) -> list[bytes]:
        """See :class:`.forms.form.Form`."""
        kind: type = str if self._text else bytes
        return [
            self._hashed(self._bytes(value))
            if type(value) is kind
            else NULL_CANONICAL
            if value is None
            else foreign(value)
            for value in values
        ]

    def back(self, stored: Any) -> Value:
        """See :class:`.forms.form.Form`."""
        found: Value = stored
        if self._text and isinstance(stored, bytes):
            try:
                return stored.decode()
            except UnicodeDecodeError:
                return found
        return found

    def _bytes(self, value: Any) -> bytes:
        found: bytes = value.encode(errors="surrogatepass") if self._text else value
        return found

    def _fits(self, value: Value) -> bool:
        if type(value) not in self._kinds or (type(value) is str and not _is_unicode(value)):
            return False
        length = len(self._bytes(value))
        return length == self._limit if self._padded else length <= self._limit


def _escaped(value: bytes) -> bytes:
    return value.replace(b"\\", b"\\\\").replace(b"\t", b"\\t").replace(b"\n", b"\\n")


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True


def _highest(collation: str) -> str | None:
    """The last character of the character set that all before it are in too; None: it has every one."""
    name = collation.lower()
    if not name or name.startswith("utf8mb4"):
        return None
    return "\uffff" if name.startswith(("utf8", "ucs2")) else "\x7f"


def _as_texts(values: Sequence[Value]) -> list[Value]:
    return [value if value is None or type(value) is str else repr(value) for value in values]


def _number_of(text: str) -> Value:
    """The number that is written ``text``, or ``text`` itself."""
    if _NUMBER.fullmatch(text) is None:
        return text
    if not text.lstrip("-").isdigit():
        return _again(float(text), text)
    # Of more than 19 digits SQLite makes no integer, and Python none in a reasonable time.
    return _again(int(text), text) if len(text) <= _LONGEST_INTEGER and _LEAST <= int(text) <= _MOST else text


def _again(number: int | float, text: str) -> Value:
    return number if repr(number) == text else text
