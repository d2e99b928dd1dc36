"""From SQLite to MySQL or MariaDB and back: every row exactly, or it stops and says which.

Here is what a program begins with. Inside, the order in which to read: ``interface`` (a plan), ``source`` (what the
file says of itself, and what is in it), ``planning`` (what becomes of it; ``translating`` its expressions),
``planfile`` (what a person reads), ``forms`` (a column's values there and back), ``server`` and ``session`` (the other
side), ``copying``, ``verifying``, ``reversing``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy import lazily

if TYPE_CHECKING:
    from .copying.options import RunOptions, RunReport
    from .copying.run import finish, run
    from .interface import Plan
    from .planfile.file import read_plan, write_plan
    from .planning.plan import plan
    from .reversing.reverse import ReverseReport, reverse
    from .verifying.verify import VerifyReport, verify
else:  # each loads much that the others do not need, and memory is promised
    __getattr__ = lazily(
        __name__,
        {
            "Plan": "interface",
            "ReverseReport": "reversing.reverse",
            "RunOptions": "copying.options",
            "RunReport": "copying.options",
            "VerifyReport": "verifying.verify",
            "finish": "copying.run",
            "plan": "planning.plan",
            "read_plan": "planfile.file",
            "reverse": "reversing.reverse",
            "run": "copying.run",
            "verify": "verifying.verify",
            "write_plan": "planfile.file",
        },
    )

__all__ = [
    "Plan",
    "ReverseReport",
    "RunOptions",
    "RunReport",
    "VerifyReport",
    "finish",
    "plan",
    "read_plan",
    "reverse",
    "run",
    "verify",
    "write_plan",
]
