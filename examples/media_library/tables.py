"""The library's tables. Instants are integer microseconds since the epoch, sizes bytes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.engine import CursorResult

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    },
    # Full text lives beside the media: a revision makes it by hand, for each engine another.
    info={"unmanaged": ["media_search*"]},
)
# SQLite counts up only INTEGER keys; MySQL has room for more.
Id = BigInteger().with_variant(Integer, "sqlite")
# Names and digests are compared byte by byte: MySQL's default would take "a" for "Á".
_MYSQL: dict[str, Any] = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}

users = Table(
    "users",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("password_hash", String(255), nullable=False),
    Column("quota_bytes", BigInteger, nullable=False),
    Column("used_bytes", BigInteger, nullable=False, server_default="0"),
    Column("created_us", BigInteger, nullable=False),
    Column("password_us", BigInteger, nullable=False, server_default="0"),
    CheckConstraint("used_bytes >= 0", name="used_not_negative"),
    **_MYSQL,
)

# One row per distinct file; the row is there if and only if the file is.
blobs = Table(
    "blobs",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("mime", String(64), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    **_MYSQL,
)

renditions = Table(
    "renditions",
    metadata,
    Column("digest", String(64), ForeignKey("blobs.digest", ondelete="CASCADE"), primary_key=True),
    Column("format", String(8), primary_key=True),
    Column("size", BigInteger, nullable=False),
    **_MYSQL,
)

media = Table(
    "media",
    metadata,
    Column("id", Id, primary_key=True),
    Column("user_id", Id, ForeignKey("users.id"), nullable=False),
    Column("digest", String(64), ForeignKey("blobs.digest"), nullable=False),
    Column("title", String(200), nullable=False),
    Column("filename", String(255), nullable=False),
    Column("created_us", BigInteger, nullable=False),
    UniqueConstraint("user_id", "digest"),
    Index(None, "user_id", "created_us", "id"),
    Index(None, "digest"),
    **_MYSQL,
)

tags = Table(
    "tags",
    metadata,
    Column("media_id", Id, ForeignKey("media.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(40), primary_key=True),
    Index(None, "name", "media_id"),
    **_MYSQL,
)


# What was found in a file's picture: up to four colours "#rrggbb", the most frequent first, with spaces between.
details = Table(
    "details",
    metadata,
    Column("digest", String(64), ForeignKey("blobs.digest", ondelete="CASCADE"), primary_key=True),
    Column("colours", String(32), nullable=False),
    Column("orientation", String(12), nullable=False),
    **_MYSQL,
)

# What a user's media come to, as JSON: statistics.py says how it is made.
statistics = Table(
    "statistics",
    metadata,
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("figures", Text, nullable=False),
    Column("refreshed_us", BigInteger, nullable=False),
    **_MYSQL,
)

# What a user is told: posters that are ready, the percentage of the room that is used. One unread row of each kind.
notifications = Table(
    "notifications",
    metadata,
    Column("id", Id, primary_key=True),
    Column("user_id", Id, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("amount", Integer, nullable=False),
    Column("changed_us", BigInteger, nullable=False),
    Column("read_us", BigInteger),
    Index(None, "user_id", "changed_us"),
    Index(None, "changed_us"),
    **_MYSQL,
)


def inserted_id(result: CursorResult[Any]) -> int:
    """The id that the database gave to the one inserted row."""
    key = result.inserted_primary_key
    if key is None:
        raise TypeError("expected the result of inserting one row")
    return int(key[0])
