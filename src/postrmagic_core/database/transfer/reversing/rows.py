"""The rows of a query as a server sends them, unbuffered, by columns: the driver would make each value by itself.

The text protocol: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_com_query_response_text_resultset.html
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import pymysql
from pymysql.constants import FIELD_TYPE

if TYPE_CHECKING:
    from ..session import Session

_INTEGERS = frozenset(
    {FIELD_TYPE.TINY, FIELD_TYPE.SHORT, FIELD_TYPE.INT24, FIELD_TYPE.LONG, FIELD_TYPE.LONGLONG, FIELD_TYPE.YEAR}
)
_HEADER = 4
# A packet of so many bytes goes on in the next one.
_WHOLE = 2**24 - 1
_EOF, _ERROR, _NULL = 0xFE, 0xFF, 0xFB
_EOF_SIZE = 9
# How many bytes of length stand behind a first byte that is none itself.
_LENGTHS: Final = {0xFC: 2, 0xFD: 3, 0xFE: 8}


def columns_of(session: Session, query: str, *, rows: int, size: int) -> Generator[list[Sequence[object]], None, None]:
    """The columns of at most ``rows`` rows and about ``size`` bytes, again and again: integers, text, bytes and NULL.

    What is no integer and no bytes is text. Whoever leaves early leaves the server: it is sent no further.
    """
    wire: Any = getattr(session, "_rfile", None)
    with session.unbuffered(query) as result:
        readers = [
            _reader(field.type_code, encoding)
            for field, (encoding, _) in zip(result.fields, result.converters, strict=True)
        ]
        for some in _batches(_packets(wire), len(readers), rows, size):
            yield [reader(values) for reader, values in zip(readers, zip(*some, strict=True), strict=True)]


def _packets(wire: Any) -> Iterator[bytes]:
    """Each row's packet; the end of the rows ends it."""
    read = wire.read
    while True:
        header = read(_HEADER)
        length = int.from_bytes(header[:3], "little")
        data = read(length)
        if len(header) < _HEADER or len(data) < length:
            raise EOFError
        if length == _WHOLE:
            data = _joined(read, data)
        first = data[0]
        if first == _EOF and length < _EOF_SIZE:
            return
        if first == _ERROR:
            pymysql.err.raise_mysql_exception(data)
        yield data


def _joined(read: Callable[[int], bytes], data: bytes) -> bytes:
    parts = [data]
    length = _WHOLE
    while length == _WHOLE:
        header = read(_HEADER)
        length = int.from_bytes(header[:3], "little")
        parts.append(read(length))
        if len(header) < _HEADER or len(parts[-1]) < length:
            raise EOFError
    return b"".join(parts)


def _batches(packets: Iterator[bytes], width: int, rows: int, size: int) -> Iterator[list[list[bytes | None]]]:
    some: list[list[bytes | None]] = []
    weight = 0
    for data in packets:
        some.append(_parted(data, width))
        weight += len(data)
        if len(some) == rows or weight >= size:
            yield some
            some, weight = [], 0
    if some:
        yield some


def _parted(data: bytes, width: int) -> list[bytes | None]:
    row: list[bytes | None] = []
    at = 0
    for _ in range(width):
        length = data[at]
        at += 1
        if length < _NULL:
            row.append(data[at : at + length])
            at += length
        elif length == _NULL:
            row.append(None)
        else:
            start = at + _LENGTHS[length]
            at = start + int.from_bytes(data[at:start], "little")
            row.append(data[start:at])
    return row


def _reader(kind: int, encoding: str | None) -> Callable[[Sequence[bytes | None]], Sequence[object]]:
    if kind in _INTEGERS:
        return lambda values: [None if value is None else int(value) for value in values]
    if encoding is None:
        return lambda values: values
    return lambda values: [None if value is None else value.decode(encoding) for value in values]
