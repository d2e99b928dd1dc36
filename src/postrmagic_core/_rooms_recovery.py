"""The rooms of the settings that are about change and recovery: backups, and features that are switched on by and by.

:mod:`postrmagic_core.settings` reads them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from ._rooms import BackendUrl, Room, Seconds

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class BackupSettings(Room):
    """Backups of the database and of the files that its rows name."""

    url: BackendUrl | None = Field(
        default=None, description="Where backups are kept: `file:///…`; default `data_dir/backups`, this disk alone."
    )
    keys: tuple[SecretStr, ...] = Field(
        default=(),
        description="Keys that backups are sealed with, 32 characters or more each; the first seals, all open. "
        "Left out, `security.keys`.",
    )
    files: dict[Name, Path] = Field(
        default_factory=dict,
        description='Directories that are kept with the database, by name: `{"media": "var/media"}`.',
    )
    schedule: str | None = Field(
        default=None, description="When the workers take a backup: five fields of cron, in UTC; left out, never."
    )
    drill_schedule: str | None = Field(
        default=None, description="When the workers try whether the newest backup can be restored; left out, never."
    )
    drill_url: BackendUrl | None = Field(
        default=None,
        description="Where a drill restores the database to; left out, a file, or another database of the same server.",
    )
    dump: Literal["own", "tool"] = Field(
        default="own",
        description="How MySQL and MariaDB are read: by us, every value exactly, or by their own dump program, which "
        "is refused where it would lose something.",
    )
    keep_last: int = Field(default=3, ge=1, le=10_000, description="How many of the newest backups are kept.")
    keep_daily: int = Field(default=7, ge=0, le=10_000, description="Of how many days the last one is kept.")
    keep_weekly: int = Field(default=4, ge=0, le=10_000, description="Of how many weeks the last one is kept.")
    keep_monthly: int = Field(default=12, ge=0, le=10_000, description="Of how many months the last one is kept.")


class FlagSettings(Room):
    """Features that are switched on for some users, then for all."""

    rules: dict[Name, dict[str, Any]] = Field(
        default_factory=dict,
        description='For whom a feature is on, by its name: `{"new-gallery": {"percent": 10, "roles": ["staff"]}}`; '
        "what is set in the database wins.",
    )
    max_age: Seconds = Field(
        default=1.0, description="Seconds for which a flag that was changed may still count in another process."
    )
