"""Errors in groups: what is new, what came back, and one redacted sample of each.

``ErrorTracker`` is given every error that is logged (:meth:`LogHandle.tap`) and counts it in the database, in a thread
that nobody waits for. ``Errors`` reads the groups and notes what people do about them.

::

    for group in Errors(database).find(state="new"):
        print(group.count, group.type, group.message, group.place)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy import lazily

if TYPE_CHECKING:
    from .interface import Change, ErrorGroup, State
    from .manager import Errors
    from .tracker import ErrorTracker
else:  # the tracker is loaded with the Stack, the manager by who looks
    __getattr__ = lazily(
        __name__,
        {
            "Change": "interface",
            "ErrorGroup": "interface",
            "ErrorTracker": "tracker",
            "Errors": "manager",
            "State": "interface",
        },
    )

__all__ = ["Change", "ErrorGroup", "ErrorTracker", "Errors", "State"]
