"""Fills the schema of ``tests/transfer/postrmagic.sql``: the same rows for the same number, made by SQLite itself."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

SCHEMA = Path(__file__).parents[2] / "transfer" / "postrmagic.sql"

# Of each table, parents first: its share of all rows, in thousandths, and what is selected for each n from 1 on. Each
# statement knows how many rows each table has, by its name. Users and categories are numbered from 0.
_TITLE = """
    CASE n % 6 WHEN 0 THEN 'Straßenfest №' WHEN 1 THEN 'Fête de l''été ' WHEN 2 THEN 'Jazz & Wine  '
        WHEN 3 THEN '夏祭り ' WHEN 4 THEN 'cafe' || char(769) || ' ' ELSE 'Open mic ' END
    || n || substr(' 🎉🎸🌊👩‍🎤🎬🎨', 1 + n % 8, 1)
"""
_WHEN = "datetime(1600000000 + n * 37 % 150000000, 'unixepoch')"
_TWIN = "CASE n % 4 WHEN 0 THEN 'Abc' WHEN 1 THEN 'ABC' WHEN 2 THEN 'abc ' ELSE 'äbc' END || (n / 4)"

_FILL = {
    "users": (
        20,
        f"""
        n - 1, 'user' || n, 'User' || n || '@Example.org',
        CASE WHEN n % 9 THEN lower(hex(zeroblob(16))) || n END, {_TITLE},
        CASE n % 50 WHEN 0 THEN 'admin' WHEN 1 THEN 'moderator' ELSE 'user' END, n % 7 > 0, n % 10000 / 100.0, {_WHEN},
        CASE WHEN n % 3 THEN {_WHEN} END, CASE n % 3 WHEN 0 THEN 'de_AT' ELSE 'en' END,
        json_object('theme', 'dark', 'n', n), n % 2
        """,
    ),
    "user_sessions": (
        40,
        f"""
        printf('%08x', n * 2654435761 % 4294967296) || '-' || n, n % :users,
        json_object('cart', json_array(n, 'é', NULL)), '10.0.' || (n % 256) || '.' || (n / 256 % 256),
        CASE WHEN n % 5 THEN 'Mozilla/5.0 (X11; Linux x86_64)' END, {_WHEN},
        datetime(1900000000 + n, 'unixepoch')
        """,
    ),
    "password_resets": (
        10,
        f"n, n % :users, CAST(printf('%08x', n * 2654435761 % 4294967296) || n || x'00ff' AS BLOB), n % 2, {_WHEN}",
    ),
    "static_pages": (
        1,
        f"""
        'page-' || (n / 2), CASE n % 2 WHEN 0 THEN 'en' ELSE 'de' END, {_TITLE},
        replace(hex(zeroblob(CASE n WHEN 1 THEN 40000 ELSE n % 50 END)), '00', 'Über uns. ')
            || char(10) || '\\N' || char(9),
        n % 2, {_WHEN}
        """,
    ),
    "system_logs": (
        280,
        f"""
        n, CASE n % 40 WHEN 0 THEN 'error' WHEN 1 THEN 'warning' WHEN 2 THEN 'debug' ELSE 'info' END,
        'component.' || (n % 12), 'Request ' || n || ' was answered in ' || (n % 900) || ' ms',
        CASE WHEN n % 4 THEN json_object('path', '/events/' || (n % 1000), 'ms', n % 900, 'ok', json('true')) END,
        CASE WHEN n % 3 THEN n % :users END, {_WHEN}
        """,
    ),
    "user_media": (
        80,
        f"""
        n, n % :users, {_TITLE}, 'poster ' || n || '.JPG', CASE n % 3 WHEN 0 THEN 'image/png' ELSE 'image/jpeg' END,
        n * 7919 % 20000000, CASE WHEN n % 8 THEN 800 + n % 4000 END, CASE WHEN n % 8 THEN 600 + n % 3000 END,
        CASE WHEN n % 10 = 0 THEN CAST(x'89504e470d0a1a0a00' || n || zeroblob(n % 64) AS BLOB) END,
        date(1500000000 + n * 4001, 'unixepoch'), json_object('iso', n % 6400, 'lens', '50mm ƒ/1.8'), {_WHEN}, n % 2
        """,
    ),
    "media_tags": (5, f"n, {_TWIN}, CASE WHEN n % 2 THEN printf('#%06x', n) END, 0"),
    "media_tag_relations": (
        110,
        """
        1 + (n - 1) % :user_media, 1 + ((n - 1) / :user_media + (n - 1) % :user_media) % :media_tags,
        CASE WHEN n % 4 THEN n % 1000 / 999.0 END
        """,
    ),
    "llm_providers": (
        1,
        "n, 'provider ' || n, 'https://llm-' || n || '.example/v1', n % 2, json_object('timeout', 30.5)",
    ),
    "llm_configurations": (
        15,
        """
        n, (n - 1) % :users, 1 + n % :llm_providers, 'model-' || n, round(n % 20 / 10.0, 1),
        CASE WHEN n % 3 THEN 4096 END, n <= :users
        """,
    ),
    "llm_prompts": (
        2,
        f"n, 'prompt ' || n, CASE n % 3 WHEN 0 THEN 'extract' WHEN 1 THEN 'classify' ELSE 'write' END, {_WHEN}, NULL",
    ),
    "llm_prompt_versions": (
        6,
        f"""
        n, 1 + (n - 1) % :llm_prompts, 1 + (n - 1) / :llm_prompts,
        'Extract {{title}} from: ' || replace(hex(zeroblob(n % 300)), '00', 'Größe 🎟 '), '["title"]', {_WHEN}
        """,
    ),
    "llm_usage_logs": (
        160,
        f"""
        n, CASE WHEN n % 20 THEN n % :users END, CASE WHEN n % 15 THEN 1 + n % :llm_configurations END, n % 8000,
        n % 900, n % 100000 / 1000000.0, CASE WHEN n % 30 THEN n % 20000 END, n % 30 > 0,
        CASE WHEN n % 30 = 0 THEN 'timeout: "read" \\ ''provider''' END, {_WHEN}
        """,
    ),
    "llm_cost_tracking": (
        30,
        """
        (n - 1) % :users, 1 + (n - 1) / :users % :llm_providers, date('2024-01-01', ((n - 1) / :users) || ' days'),
        n % 90, n % 100000 / 100.0, CASE WHEN n % 5 THEN n % 5000 / 100.0 END
        """,
    ),
    "event_categories": (
        1,
        f"n - 1, CASE WHEN n > 4 THEN (n - 2) / 4 END, {_TWIN}, n % 100",
    ),
    "rejected_events": (
        10,
        f"""
        n, 'mail', json_object('title', {_TITLE}, 'price', n / 100.0),
        CASE n % 3 WHEN 0 THEN 'duplicate' WHEN 1 THEN 'incomplete' ELSE 'spam' END, {_WHEN}
        """,
    ),
    "user_api_keys": (
        9,
        f"n, (n - 1) % :users, 'key ' || (n / 2), CAST(printf('%032x', n) || x'0d0a00' AS BLOB), n % 2, {_WHEN}",
    ),
    "temporary_uploads": (
        5,
        f"""
        'upload ' || n || CASE n % 2 WHEN 0 THEN ' ' ELSE '' END,
        CAST(x'ffd8ff00' || zeroblob(CASE n WHEN 1 THEN 70000 ELSE n % 400 END) || x'5c09270a22' AS BLOB),
        n % 2, {_WHEN}
        """,
    ),
    "events": (
        90,
        f"""
        n, n % :event_categories, CASE WHEN n % 9 THEN n % :users END, CASE WHEN n % 2 THEN 1 + n % :user_media END,
        {_TITLE}, CASE WHEN n % 5 THEN 'Doors open at ' || (n % 24) || ':00, bring a friend' END,
        strftime('%Y-%m-%dT%H:%M:%fZ', 1700000000.123 + n * 3607, 'unixepoch'), NULL,
        CASE WHEN n % 4 THEN n % 9973 / 100.0 END, 'EUR',
        CASE n % 3 WHEN 0 THEN 'draft' WHEN 1 THEN 'published' ELSE 'cancelled' END,
        json_object('b', 1, 'a', json_array(n)), n % 5000, 48.2 + n % 1000 / 7777.0,
        CASE WHEN n % 6 THEN 16.37 - n % 1000 / 3333.0 END
        """,
    ),
    "temporary_events": (20, f"'session ' || (n / 5), n % 5, json_object('title', {_TITLE}), {_WHEN}"),
    "event_claims": (
        15,
        f"""
        n, 1 + (n - 1) % :events, ((n - 1) / :events + (n - 1) % :events) % :users,
        CASE n % 3 WHEN 0 THEN 'open' WHEN 1 THEN 'granted' ELSE 'refused' END,
        CASE WHEN n % 2 THEN {_TITLE} END, {_WHEN}
        """,
    ),
    "social_media_posts": (
        30,
        f"""
        n, 1 + n % :events, CASE n % 3 WHEN 0 THEN 'mastodon' WHEN 1 THEN 'instagram' ELSE 'bluesky' END,
        {_TITLE} || ' → https://example.org/e/' || n, n % 2, CASE WHEN n % 2 THEN 'x' || n END,
        CASE WHEN n % 2 THEN {_WHEN} END
        """,
    ),
    "short_links": (
        20,
        f"""
        CASE n % 2 WHEN 0 THEN 'aB' ELSE 'Ab' END || (n / 2), 'https://example.org/?q=%C3%A9&n=' || n,
        CASE n % 3 WHEN 0 THEN 'Poster' WHEN 1 THEN 'POSTER' END, n * 3000000019, {_WHEN}, 1 + n % :events
        """,
    ),
    "rate_limits": (
        40,
        "CASE n % 2 WHEN 0 THEN 'login' ELSE 'upload' END, '10.1.2.' || (n % 256), n % 100, 1700000000 + n * 60",
    ),
}


def shares(rows: int) -> dict[str, int]:
    """How many rows each table has of ``rows`` in all, of which ``system_logs`` takes what is left over."""
    counts = {table: max(2, rows * share // 1000) for table, (share, _) in _FILL.items()}
    counts["system_logs"] += rows - sum(counts.values())
    return counts


def seed(path: Path, rows: int) -> Path:
    """Make the database at ``path``, with ``rows`` rows in all: 500 at least, or foreign keys would lead nowhere."""
    counts = shares(rows)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON;")
        connection.executescript(SCHEMA.read_text(encoding="utf-8"))
        for table, (_, selected) in _FILL.items():
            connection.execute(
                f"""
                INSERT INTO {table}
                WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :{table})
                SELECT {selected} FROM numbers
                """,
                counts,
            )
        connection.execute("UPDATE llm_prompts SET current_version_id = id WHERE id % 3")
        connection.commit()
    return path
