"""Backups: the database and the files that its rows name, as of one moment, in one sealed file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .interface import Entry, Manifest, Report, Vault
from .policy import Retention
from .terms import BackupTerms, terms_of

if TYPE_CHECKING:
    from .manager import BackupInfo, Backups
    from .restoring import RestorePlan
    from .taking import Taken
else:
    from .._lazy import lazily

    __getattr__ = lazily(
        __name__, {"Backups": "manager", "BackupInfo": "manager", "RestorePlan": "restoring", "Taken": "taking"}
    )

__all__ = [
    "Backups",
    "BackupInfo",
    "BackupTerms",
    "Entry",
    "Manifest",
    "Report",
    "RestorePlan",
    "Retention",
    "Taken",
    "Vault",
    "terms_of",
]
