"""The way back: from a server into a SQLite file."""

from __future__ import annotations
