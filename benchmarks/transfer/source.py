"""The file that is moved: one table of rows of about 220 bytes, as an application for events has them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

_TABLE = """
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL,
    title TEXT NOT NULL,
    description TEXT,
    price REAL,
    status VARCHAR(20) NOT NULL DEFAULT 'draft',
    created_at DATETIME NOT NULL,
    extra TEXT
)
"""
_ROWS = """
INSERT INTO events
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
SELECT n, n * 7919 % 100000, 'Fête № ' || n || ' 🎉',
    'Doors open at ' || (n % 24) || ' h, bring a friend; ' || substr(hex(n * 2654435761), 1, 16)
        || ' and whatever else one writes about an evening',
    n % 9973 / 100.0, CASE n % 3 WHEN 0 THEN 'draft' ELSE 'published' END,
    datetime(1600000000 + n * 37 % 150000000, 'unixepoch'),
    '{"stage": ' || (n % 9) || ', "doors": "19:00", "n": ' || n || '}'
FROM numbers
"""


def fill(path: Path, rows: int) -> Path:
    """Make the file at ``path`` with ``rows`` rows, and a table of one row beside them, in WAL mode."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; {_TABLE}")
        connection.execute(_ROWS, (rows,))
        connection.executescript(
            "CREATE TABLE beats (id INTEGER PRIMARY KEY, n INTEGER NOT NULL); INSERT INTO beats VALUES (1, 0)"
        )
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path
