"""Rules about what is stored: ``Annotated[str, Unique(users.c.name)]``, ``Annotated[int, Exists(tags.c.id)]``.

The database compares, with the column's own collation, once everything else about the input is right: one query for all
values of a column. A check alone is no promise; :meth:`.Validator.refusing` turns the constraint's refusal, which is
one, into the same error.
"""

from __future__ import annotations

from .rules import Exists, Unique

__all__ = ["Exists", "Unique"]
