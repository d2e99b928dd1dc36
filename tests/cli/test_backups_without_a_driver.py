"""Backups of a file where no driver of a server is installed, as it is after a plain ``pip install``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
sys.modules["pymysql"] = None
from postrmagic_core.backups import work
from postrmagic_core.cli import main
for words in ("upgrade", "backup", "verify-backup", "drill", "restore --yes"):
    sys.argv = ["postrmagic", "db", *words.split()]
    try:
        main()
    except SystemExit as ended:
        if ended.code:
            raise
"""


def test_every_command_works_without_a_driver(tmp_path: Path) -> None:
    """Given no driver of a server, when a file is backed up, tried and restored, then each command does its work."""
    given = {"POSTRMAGIC_STACK__DATA_DIR": str(tmp_path), "COLUMNS": "250"}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=os.environ | given, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "it restores" in done.stdout
    assert "restored: " in done.stdout
