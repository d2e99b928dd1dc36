"""Column types that mean the same on every database: exact keys, blobs, microseconds, growing ids."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Dialect, Integer, LargeBinary, Text
from sqlalchemy.dialects.mysql import LONGBLOB, VARBINARY
from sqlalchemy.types import TypeDecorator, TypeEngine

# Passed to Table(**TABLE_OPTIONS): a server's own defaults may be latin1 or MyISAM.
TABLE_OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


class Key(TypeDecorator[str]):
    """A ``str`` of at most ``size`` UTF-8 bytes, equal only to itself.

    VARBINARY on MySQL, whose text collations ignore trailing spaces, and mostly case and accents; TEXT on SQLite. Only
    ``str`` is accepted: MySQL compares a number with text by converting the text.
    """

    impl = Text
    cache_ok = True

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The column type on ``dialect``."""
        return dialect.type_descriptor(VARBINARY(self.size) if _is_server(dialect) else Text())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """``str`` as the driver wants it; another type raises :class:`TypeError`."""
        if value is None:
            return None
        if not isinstance(value, str):
            raise TypeError(f"expected str for a key column, got {type(value).__name__}")
        raw = value.encode()
        if len(raw) > self.size:
            raise ValueError(f"a key of {len(raw)} bytes is too long for its column ({self.size})")
        return raw if _is_server(dialect) else value

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        """``str`` again."""
        return value.decode() if isinstance(value, bytes) else value


class BinaryKey(TypeDecorator[bytes]):
    """``bytes`` of at most ``size``, fit for a key: VARBINARY on MySQL, BLOB on SQLite."""

    impl = LargeBinary
    cache_ok = True

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The column type on ``dialect``."""
        return dialect.type_descriptor(VARBINARY(self.size) if _is_server(dialect) else LargeBinary())

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:
        """``bytes`` unchanged; another type raises :class:`TypeError`."""
        if value is not None and not isinstance(value, bytes):
            raise TypeError(f"expected bytes for a binary key column, got {type(value).__name__}")
        if value is not None and len(value) > self.size:
            raise ValueError(f"a key of {len(value)} bytes is too long for its column ({self.size})")
        return value


def Blob() -> TypeEngine[bytes]:  # noqa: N802 - stands where a type stands
    """Bytes of any length: LONGBLOB on MySQL (a plain BLOB ends at 64 KiB), BLOB on SQLite."""
    return LargeBinary().with_variant(LONGBLOB(), "mysql", "mariadb")


def Micros() -> TypeEngine[int]:  # noqa: N802 - stands where a type stands
    """Microseconds since the epoch, or a span of them."""
    return BigInteger()


def Id() -> TypeEngine[int]:  # noqa: N802 - stands where a type stands
    """A growing primary key: BIGINT AUTO_INCREMENT on MySQL, INTEGER (the rowid) on SQLite."""
    return BigInteger().with_variant(Integer(), "sqlite")


def _is_server(dialect: Dialect) -> bool:
    return dialect.name in {"mysql", "mariadb"}
