"""A directory with a file of settings, in which processes begin."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from postrmagic_core.configuration import History, Present, Version, VersionFiles, present, record
from postrmagic_core.settings import Settings
from postrmagic_core.testing.clock import FakeClock

FIRST = "kX3v9_first_8QmZ1rT6yUw2pLs7NaBcDe"
SECOND = "mW7b2_other_5VnH4sK9xQa1dRf6JzYpTu"


class Place:
    """A directory with a file of settings, of which versions are kept."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        self.clock = FakeClock(datetime(2026, 5, 1, tzinfo=UTC))
        self.file = directory / "postrmagic.toml"
        self.versions = directory / "var" / "settings"
        self._monkeypatch = monkeypatch

    def says(self, text: str) -> None:
        """Have the file say ``text``."""
        self.file.write_text(text)

    def environment(self, **values: str | None) -> None:
        """Set variables: ``JOBS__THREADS="3"``; ``None`` unsets."""
        for name, value in values.items():
            if value is None:
                self._monkeypatch.delenv(f"POSTRMAGIC_{name}", raising=False)
            else:
                self._monkeypatch.setenv(f"POSTRMAGIC_{name}", value)

    def begin(self, text: str | None = None, *, by: str = "web") -> int | None:
        """A process begins, an hour later, with what the file says."""
        if text is not None:
            self.says(text)
        self.clock.advance(3600)
        return record(Settings(), by=by, clock=self.clock)

    def history(self) -> History:
        """The versions."""
        return VersionFiles(self.versions).read()

    def version(self, number: int) -> Version:
        """One of them."""
        return next(one for one in self.history().versions if one.number == number)

    def now(self) -> Present:
        """What holds."""
        return present()

    def everything(self) -> bytes:
        """All that stands in the files of versions, and how they are called."""
        return b"".join(path.name.encode() + path.read_bytes() for path in self.versions.iterdir())
