"""What a manager of backups is told, and what settings say of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

from .policy import Retention

if TYPE_CHECKING:
    from ..settings import Settings


@dataclass(frozen=True, slots=True)
class BackupTerms:
    """What is backed up, and how.

    ``database_url`` has its password in it. ``directories`` are kept by name. ``workspace`` is where a snapshot of a
    server's database, and files that are being changed, may lie for a while; a SQLite file's lies beside it. ``how``
    MySQL and MariaDB are read: by our ``own``, or by their ``tool``. ``generated_key`` is the file of the key
    that seals, where it was made by this package and may be nowhere else. ``vault_directory`` is where the vault is,
    where that is a directory of this machine's. ``drill_url`` is where a drill restores to.
    """

    database_url: str = field(repr=False)
    directories: Mapping[str, Path]
    workspace: Path
    service: str = "postrmagic"
    release: str = ""
    how: Literal["own", "tool"] = "own"
    retention: Retention = field(default_factory=Retention)
    generated_key: Path | None = None
    vault_directory: Path | None = None
    drill_url: str | None = field(default=None, repr=False)


def terms_of(settings: Settings) -> BackupTerms:
    """The terms that ``settings`` say; nothing is read or made."""
    room, stack = settings.backups, settings.stack
    generated = not room.keys and not settings.security.keys
    return BackupTerms(
        database_url=settings.database_url(),
        directories=dict(room.files),
        workspace=stack.data_dir.absolute(),
        service=stack.service,
        release=stack.release,
        how=room.dump,
        retention=Retention(room.keep_last, room.keep_daily, room.keep_weekly, room.keep_monthly),
        generated_key=stack.data_dir.absolute() / "secret.key" if generated else None,
        vault_directory=_directory(settings.vault_url()),
        drill_url=None if room.drill_url is None else room.drill_url.get_secret_value(),
    )


def _directory(url: str) -> Path | None:
    parts = urlsplit(url)
    return Path(unquote(parts.path, errors="surrogateescape")) if parts.scheme == "file" else None
