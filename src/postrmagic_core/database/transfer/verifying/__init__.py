"""Both sides compared, and the report of it."""

from __future__ import annotations
