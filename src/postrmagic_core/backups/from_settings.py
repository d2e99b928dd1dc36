"""The backups that settings describe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._clock import Clock
from ..registry import Registry
from .manager import Backups
from .terms import terms_of
from .vaults import open_vault

if TYPE_CHECKING:
    from ..database import DatabaseManager
    from ..settings import Settings


def backups_of(
    settings: Settings,
    database: DatabaseManager | None = None,
    *,
    clock: Clock | None = None,
    registry: Registry | None = None,
) -> Backups:
    """The backups of ``settings``, not opened; ``database`` is borrowed."""
    vault = open_vault(settings.vault_url(), registry=registry)
    return Backups(terms_of(settings), database=database, vault=vault, keys=settings.backup_keys(), clock=clock)
