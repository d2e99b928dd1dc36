"""What a history of migrations is, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from ...errors import ConfigurationError
from ...registry import imported

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import MetaData

Direction: TypeAlias = Literal["upgrade", "downgrade"]
PACKAGE_TABLE = "pm_alembic_version"
# While it is there a backup is being restored, and the other tables are not all of one time.
RESTORE_TABLE = "pm_restore_progress"


@dataclass(frozen=True, slots=True)
class Migrations:
    """An application's history: where its revisions are and what they should lead to.

    ``directory`` holds a folder ``versions`` of Alembic revisions and nothing else: a path, or ``package:folder``.
    ``metadata`` is the application's ``MetaData``, or ``module:name``; without it nothing can be compared. Tables that
    revisions make by hand (full text, partitions) are named in ``MetaData(info={"unmanaged": ["name*"]})``.
    ``version_table`` is the one that an Alembic set-up of the application's own may have filled before.
    """

    directory: str | Path
    metadata: MetaData | str | None = None
    version_table: str = "alembic_version"

    @property
    def name(self) -> Literal["package", "application"]:
        """Whose history it is."""
        return "package" if self.version_table == PACKAGE_TABLE else "application"

    @property
    def versions(self) -> Path:
        """The folder of revisions, whether it exists or not."""
        package, colon, folder = str(self.directory).rpartition(":")
        if not colon:
            return Path(self.directory) / "versions"
        try:
            spec = find_spec(package)
        except (ModuleNotFoundError, ValueError):
            spec = None
        if spec is None or not spec.submodule_search_locations:
            raise ConfigurationError(f"migrations {self.directory}: there is no package {package} to be found")
        return Path(spec.submodule_search_locations[0]) / folder / "versions"

    @property
    def tables(self) -> MetaData | None:
        """The metadata, imported if it was only named."""
        from sqlalchemy import MetaData

        if not isinstance(self.metadata, str):
            return self.metadata
        found = imported(self.metadata if ":" in self.metadata else f"{self.metadata}:metadata", "metadata")
        if not isinstance(found, MetaData):
            raise ConfigurationError(
                f"metadata {self.metadata} is a {type(found).__name__}, expected sqlalchemy.MetaData, as in "
                "app.tables:metadata"
            )
        return found


@dataclass(frozen=True, slots=True)
class Step:
    """One revision that runs: ``title`` is the first line of its docstring."""

    history: str
    revision: str
    title: str
    direction: Direction


@dataclass(frozen=True, slots=True)
class SchemaState:
    """Where a database stands in a history: ``found`` is what it says, ``heads`` where the code is, ``known`` all.

    ``interrupted`` is what was left half done, on a server that cannot take it back. ``expanded``: a newer release has
    brought it to where it is, and this code can live with that.
    """

    history: str
    found: frozenset[str]
    heads: frozenset[str]
    known: frozenset[str]
    interrupted: str | None = None
    expanded: bool = False

    @property
    def unknown(self) -> frozenset[str]:
        """Revisions of the database that this code does not have."""
        return self.found - self.known

    @property
    def current(self) -> bool:
        """Whether nothing is missing, and nothing there is from a newer version."""
        return self.found == self.heads and self.interrupted is None

    @property
    def usable(self) -> bool:
        """Whether this code can work with what is there."""
        return self.current or (self.expanded and self.interrupted is None)

    @property
    def told(self) -> str:
        """What is wrong with a state that is not current."""
        if self.interrupted:
            return f"{self.interrupted} was interrupted half-way"
        at, newest = (", ".join(sorted(each)) or "none" for each in (self.found, self.heads))
        return f"the {self.history}'s tables are at revision {at}, the newest one is {newest}"


Report: TypeAlias = "Callable[[Step], None]"
"""Told of each revision before it runs."""


def unreported(step: Step) -> None:
    """Tell nobody."""
