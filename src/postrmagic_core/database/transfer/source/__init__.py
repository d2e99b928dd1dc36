"""What a SQLite file says of itself, and what is in it."""

from __future__ import annotations
