"""The library's tables and their full text."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "20261123002342"
down_revision = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MYSQL: dict[str, Any] = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}

# One row for each of the media: an FTS5 table on SQLite, a FULLTEXT index on MySQL.
SEARCH = {
    "sqlite": "CREATE VIRTUAL TABLE media_search USING fts5(terms, tokenize = 'ascii')",
    "mysql": "CREATE TABLE media_search (media_id BIGINT NOT NULL PRIMARY KEY, terms TEXT NOT NULL, "
    "FULLTEXT KEY ft_media_search (terms), CONSTRAINT fk_media_search_media_id FOREIGN KEY (media_id) "
    "REFERENCES media (id) ON DELETE CASCADE) CHARACTER SET ascii COLLATE ascii_bin",
}


def upgrade() -> None:
    if _made_before_there_were_revisions():
        return
    op.create_table(
        "users",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("password_hash", sa.String(255), nullable=False),
        sa.Column("quota_bytes", sa.BigInteger(), nullable=False),
        sa.Column("used_bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("is_admin", sa.Boolean(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("used_bytes >= 0", name=op.f("ck_users_used_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("name", name=op.f("uq_users_name")),
        **MYSQL,
    )
    op.create_table(
        "blobs",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mime", sa.String(64), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_blobs")),
        **MYSQL,
    )
    op.create_table(
        "renditions",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("format", sa.String(8), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["digest"], ["blobs.digest"], name=op.f("fk_renditions_digest"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("digest", "format", name=op.f("pk_renditions")),
        **MYSQL,
    )
    op.create_table(
        "media",
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("filename", sa.String(255), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_media_user_id")),
        sa.ForeignKeyConstraint(["digest"], ["blobs.digest"], name=op.f("fk_media_digest")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_media")),
        sa.UniqueConstraint("user_id", "digest", name=op.f("uq_media_user_id_digest")),
        **MYSQL,
    )
    op.create_index(op.f("ix_media_user_id_created_us_id"), "media", ["user_id", "created_us", "id"])
    op.create_index(op.f("ix_media_digest"), "media", ["digest"])
    op.create_table(
        "tags",
        sa.Column("media_id", ID, nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.ForeignKeyConstraint(["media_id"], ["media.id"], name=op.f("fk_tags_media_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("media_id", "name", name=op.f("pk_tags")),
        **MYSQL,
    )
    op.create_index(op.f("ix_tags_name_media_id"), "tags", ["name", "media_id"])
    op.execute(SEARCH["sqlite" if op.get_context().dialect.name == "sqlite" else "mysql"])


def downgrade() -> None:
    for table in ("media_search", "tags", "media", "renditions", "blobs", "users"):
        op.drop_table(table)


def _made_before_there_were_revisions() -> bool:
    """Earlier versions made the same tables without noting a revision: `media_search` was the last of them."""
    if op.get_context().as_sql or op.get_context().dialect.name != "sqlite":
        return False
    return bool(sa.inspect(op.get_bind()).has_table("media_search"))
