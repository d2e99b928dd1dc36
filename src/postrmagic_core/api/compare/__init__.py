"""Comparing two specifications of an API, so that no change breaks a client before somebody looked at it.

::

    changes = compare(old, new)
    verdict = judge(changes, read_reviewed(text))
"""

from __future__ import annotations

from ...errors import NotASpecification
from .interface import Change, Reviewed, Verdict
from .operations import compare, operations
from .rules import RULES, Rule
from .verdict import judge, read_reviewed

__all__ = [
    "RULES",
    "Change",
    "NotASpecification",
    "Reviewed",
    "Rule",
    "Verdict",
    "compare",
    "judge",
    "operations",
    "read_reviewed",
]
