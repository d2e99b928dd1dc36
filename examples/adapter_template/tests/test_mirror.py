"""It keeps what a vault promises; and what it is for."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from postrmagic_core.testing.contracts.vaults import Place, VaultContract
from postrmagic_template.mirror import MirrorVault


@contextmanager
def full() -> Iterator[None]:
    """No file of this process grows beyond 100 kB, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class TestMirrorVault(VaultContract):
    """Two directories."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        """Where nobody else keeps backups, for each test."""
        url = f"mirror://?in={(tmp_path / 'one').as_uri()}&in={(tmp_path / 'two').as_uri()}"
        return Place(lambda: MirrorVault.from_url(url), full)

    def test_one_of_them_may_be_lost(self, place: Place, tmp_path: Path) -> None:
        """Whichever: the backup is listed and read."""
        for lost, number in (("one", 1), ("two", 2)):
            vault = place.open()
            with vault.create(f"backup-{number}") as sink:
                sink.write(b"all of it")
            shutil.rmtree(tmp_path / lost)
            assert f"backup-{number}" in [stored.name for stored in vault.list()]
            assert vault.read(f"backup-{number}", 0, 100) == b"all of it"
