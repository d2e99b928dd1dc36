"""Processes that write backups until they are killed."""

from __future__ import annotations

import os
import sys

from postrmagic_core._crypto import KeyRing
from postrmagic_core.backups.archive import ArchiveWriter
from postrmagic_core.backups.vaults.directory import DirectoryVault
from tests.backups.archive.shelf import FACTS
from tests.backups.conftest import KEY


def write(vault: DirectoryVault, name: str, size: int) -> None:
    """A backup with one entry of ``size`` bytes."""
    with vault.create(name) as sink, ArchiveWriter(sink, KeyRing([KEY])) as archive:
        archive.add("files/media/0", (os.urandom(size),))
        archive.finish(FACTS)


def write_and_wait(directory: str) -> None:
    """Half a backup, and then nothing more."""
    with DirectoryVault(directory).create("killed.backup") as sink, ArchiveWriter(sink, KeyRing([KEY])) as archive:
        archive.add("files/media/0", (os.urandom(3_000_000),))
        _tell("written")
        os.read(os.pipe()[0], 1)


def write_again_and_again(directory: str) -> None:
    """Backups, one after another, each told when it is there."""
    vault = DirectoryVault(directory)
    for number in range(10_000):
        write(vault, f"{number:06}.backup", 200_000)
        _tell(str(number))


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
