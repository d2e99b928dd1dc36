"""Backups: the database and the files that its rows name, as of one moment, in one sealed file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazily

if TYPE_CHECKING:
    from .interface import Entry, Manifest, Report, Vault
    from .manager import BackupInfo, Backups
    from .policy import Retention
    from .restoring import RestorePlan
    from .taking import Taken
    from .terms import BackupTerms, terms_of
else:  # a Stack that only tells how old the newest is has no use for the rest
    __getattr__ = lazily(
        __name__,
        {
            "BackupInfo": "manager",
            "BackupTerms": "terms",
            "Backups": "manager",
            "Entry": "interface",
            "Manifest": "interface",
            "Report": "interface",
            "RestorePlan": "restoring",
            "Retention": "policy",
            "Taken": "taking",
            "Vault": "interface",
            "terms_of": "terms",
        },
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
