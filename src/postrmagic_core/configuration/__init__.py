"""Versions of the settings: which there were, what changed, and the way back.

They are files in ``data_dir/settings``, not rows: the history can be read when the database's URL is what is wrong. No
secret is in them, only its fingerprint under the application's own keys.

::

    record(settings, by="web")                      # what a Stack does as it opens
    history = VersionFiles(settings.stack.data_dir / "settings").read()
    changes(history.versions[-2].fields, history.versions[-1].fields)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazily

if TYPE_CHECKING:
    from .current import Present, present
    from .files import VersionFiles
    from .interface import Change, Field, History, Masked, Print, Version
    from .policy import changes
    from .recording import record
    from .rollback import plan_rollback
else:  # a Stack records one version and needs no way back
    __getattr__ = lazily(
        __name__,
        {
            "Change": "interface",
            "Field": "interface",
            "History": "interface",
            "Masked": "interface",
            "Present": "current",
            "Print": "interface",
            "Version": "interface",
            "VersionFiles": "files",
            "changes": "policy",
            "plan_rollback": "rollback",
            "present": "current",
            "record": "recording",
        },
    )

__all__ = [
    "record",
    "VersionFiles",
    "History",
    "Version",
    "Field",
    "Masked",
    "Print",
    "Change",
    "changes",
    "Present",
    "present",
    "plan_rollback",
]
