"""Values to bytes and back, typed and lossless, without ever running code from data.

MessagePack through ormsgpack, with extension types for what MessagePack lacks: tuple, set, frozenset, datetime, date,
time, timedelta, Decimal, UUID and integers beyond 64 bits. Every value comes back with the type it had. A type outside
this list raises :class:`EncodeError` naming it; give :class:`TypedCodec` a type to store models and dataclasses.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar
from uuid import UUID

import ormsgpack

from .errors import DecodeError, EncodeError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")

_PACK = (
    ormsgpack.OPT_PASSTHROUGH_TUPLE
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_UUID
    | ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_BIG_INT
    | ormsgpack.OPT_NON_STR_KEYS
)
_UNPACK = ormsgpack.OPT_NON_STR_KEYS
# The one byte that never begins a MessagePack value, so that other formats are told apart at once.
_MARK = b"\xc1"


def _pack(value: object) -> bytes:
    return ormsgpack.packb(value, default=_extension, option=_PACK)


def _pack_typed(value: object) -> bytes:
    return ormsgpack.packb(value, default=_extension_or_enum, option=_PACK)


def _unpack(data: bytes | memoryview) -> Any:
    return ormsgpack.unpackb(data, ext_hook=_restore, option=_UNPACK)


_Pack: TypeAlias = Callable[[object], bytes]

# Tags are part of the stored format: add, never renumber.
_TO_BYTES: dict[type, tuple[int, Callable[[Any, _Pack], bytes]]] = {
    tuple: (1, lambda value, pack: pack(list(value))),
    dt.datetime: (2, lambda value, _: f"{value.isoformat()}{'|1' if value.fold else ''}".encode()),
    dt.date: (3, lambda value, _: value.isoformat().encode()),
    Decimal: (4, lambda value, _: str(value).encode()),
    UUID: (5, lambda value, _: value.bytes),
    set: (6, lambda value, pack: pack(list(value))),
    frozenset: (7, lambda value, pack: pack(list(value))),
    dt.timedelta: (8, lambda value, pack: pack([value.days, value.seconds, value.microseconds])),
    dt.time: (9, lambda value, _: value.isoformat().encode()),
    int: (10, lambda value, _: format(value, "x").encode()),
}


def _datetime(data: bytes) -> dt.datetime:
    text, _, fold = data.decode().partition("|")
    return dt.datetime.fromisoformat(text).replace(fold=int(fold or 0))


_FROM_BYTES: dict[int, Callable[[bytes], Any]] = {
    1: lambda data: tuple(_unpack(data)),
    2: _datetime,
    3: lambda data: dt.date.fromisoformat(data.decode()),
    4: lambda data: Decimal(data.decode()),
    5: lambda data: UUID(bytes=data),
    6: lambda data: set(_unpack(data)),
    7: lambda data: frozenset(_unpack(data)),
    8: lambda data: dt.timedelta(*_unpack(data)),
    9: lambda data: dt.time.fromisoformat(data.decode()),
    10: lambda data: int(data, 16),
}


def _extension(value: object, pack: _Pack = _pack) -> ormsgpack.Ext:
    known = _TO_BYTES.get(type(value))
    if known is None:
        raise TypeError(type(value).__qualname__)
    if isinstance(value, dt.datetime | dt.time) and value.tzinfo is not None and type(value.tzinfo) is not dt.timezone:
        raise TypeError(f"{type(value).__qualname__} in a named time zone; convert it to UTC first")
    tag, to_bytes = known
    return ormsgpack.Ext(tag, to_bytes(value, pack))


def _extension_or_enum(value: object) -> Any:
    return value.value if isinstance(value, enum.Enum) else _extension(value, _pack_typed)


def _restore(tag: int, data: bytes | bytearray | memoryview) -> Any:
    return _FROM_BYTES[tag](bytes(data))


def encode(value: object) -> bytes:
    """The bytes of ``value``; :class:`EncodeError` names a type that cannot be kept without loss."""
    return _encoded(_pack, value)


def _encoded(pack: _Pack, value: object) -> bytes:
    try:
        return _MARK + pack(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise EncodeError(
            f"no lossless encoding for {_culprit(error)}: use str, bytes, int, float, bool, None, list, "
            "dict, tuple, set, datetime, Decimal or UUID, or a codec with a type"
        ) from error


def _culprit(error: Exception) -> str:
    """The name of the type at fault; never its value."""
    inner = error.__cause__ or error.__context__
    return str(inner) if isinstance(inner, TypeError) else str(error).rpartition(": ")[2]


def decode(data: bytes | memoryview) -> Any:
    """The value that :func:`encode` was given; other bytes raise :class:`DecodeError`."""
    if data[:1] != _MARK:
        raise DecodeError("the stored bytes are not what this package wrote")
    try:
        return ormsgpack.unpackb(memoryview(data)[1:], ext_hook=_restore, option=_UNPACK)
    except Exception as error:
        raise DecodeError("the stored bytes are not what this package wrote") from error


class TypedCodec(Generic[T]):
    """Values of one declared type: pydantic models, dataclasses, enums, generics come back as themselves.

    ``kind`` is any type pydantic understands. Decoding validates: bytes of another type raise :class:`DecodeError`.
    """

    def __init__(self, kind: type[T] | Any) -> None:
        from pydantic import TypeAdapter

        self.kind = kind
        self._adapter: TypeAdapter[T] = TypeAdapter(kind)

    def encode(self, value: T) -> bytes:
        """The bytes of ``value``, after its fields were taken out without conversion to JSON types."""
        return _encoded(_pack_typed, self._adapter.dump_python(value, mode="python", warnings="error"))

    def decode(self, data: bytes) -> T:
        """The value, validated against the declared type."""
        from pydantic import ValidationError

        try:
            return self._adapter.validate_python(decode(data))
        except ValidationError as error:
            raise DecodeError(f"the stored bytes are not a {self.kind!r}") from error
