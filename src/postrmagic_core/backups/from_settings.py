"""The backups that settings describe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._clock import Clock
from .._metrics import Metrics
from ..registry import Registry
from .figures import BackupFigures
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
    metrics: Metrics | None = None,
    registry: Registry | None = None,
) -> Backups:
    """The backups of ``settings``, not opened; ``database`` is borrowed, and with ``metrics`` its runs are told of."""
    room = settings.backups
    if database is not None and metrics is not None:
        expected = {"scheduled": room.schedule is not None, "drilled": room.drill_schedule is not None}
        BackupFigures(database, metrics, clock=clock, **expected)
    vault = open_vault(settings.vault_url(), registry=registry)
    keys = settings.backup_keys()
    return Backups(terms_of(settings), database=database, vault=vault, keys=keys, clock=clock)
