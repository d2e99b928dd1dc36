"""SQLite's expressions as MySQL and MariaDB compute them; all of it pure."""

from __future__ import annotations
