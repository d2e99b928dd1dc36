"""What tests of backups share: keys, and a vault in a directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from postrmagic_core._crypto import KeyRing
from postrmagic_core.backups.interface import Vault
from postrmagic_core.backups.vaults import open_vault

KEY = "correct horse battery staple, 2026"


@pytest.fixture
def keys() -> KeyRing:
    """A ring of one key."""
    return KeyRing([KEY])


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """An empty one."""
    return open_vault((tmp_path / "vault").as_uri())
