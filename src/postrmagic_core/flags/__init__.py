"""Features that are switched on for some users, then for all: by name, by role, by percentage.

::

    flags = Flags(database, rules={"new-gallery": {"percent": 10, "roles": ["staff"]}}, audit=audit).open()

    if flags.on("new-gallery", who):            # an Identity, a user's id, or None
        ...
    flags.set("new-gallery", Rule(percent=50), actor="1")     # wins over the rules above, audited
    print(flags.explain("new-gallery", who))

A user stays on the side where they are: a greater percentage only adds users.
"""

from typing import TYPE_CHECKING

from .._lazy import lazily
from .interface import Explanation, Flag, Rule

if TYPE_CHECKING:
    from .manager import Flags
    from .view import View
else:
    __getattr__ = lazily(__name__, {"Flags": "manager", "View": "view"})

__all__ = ["Explanation", "Flag", "Flags", "Rule", "View"]
