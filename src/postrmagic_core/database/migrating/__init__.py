"""Schema migrations: the package's own tables first, then the application's, each with a history of its own.

What needs Alembic is imported where it is used: an application that is up to date starts without it.
"""

from __future__ import annotations
