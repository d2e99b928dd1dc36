"""How the values of a column are written, read back and hashed; all of it pure."""

from __future__ import annotations
