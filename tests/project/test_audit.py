"""The audit says what it knows: that a vulnerability is known, that none is, or that nobody answered."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# What pip-audit does for a file that names the package whose vulnerabilities are known, and for the real list.
KNOWS = 'echo "python-multipart 0.0.6 CVE-2024-24762 0.0.7"; echo "Found 1 known vulnerability" >&2; exit 1'
CLEAN = 'echo "No known vulnerabilities found" >&2'
FOUND = 'echo "thing 1.0 PYSEC-2026-1 1.1"; echo "Found 1 known vulnerability in 1 package" >&2; exit 1'
AWAY = 'echo "ConnectionError: refused" >&2; exit 1'
MIRROR = 'echo "python-multipart Dependency not found on PyPI and could not be audited"'
SLOW = "exec sleep 30"


def audit(tmp_path: Path, probe: str, real: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the script where one package is required, before a pip-audit that behaves so."""
    commands = {
        "python": "echo thing==1.0",
        "pip-audit": f'if grep -q python-multipart "${{@: -1}}"; then\n{probe}\nelse\n{real}\nfi',
    }
    for name, text in commands.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "AUDIT_REQUIRED": "0"}
    command = [str(ROOT / "scripts/audit.sh")]
    return subprocess.run(command, env=os.environ | path | env, capture_output=True, text=True, check=False, timeout=25)


def test_no_known_vulnerability_is_success(tmp_path: Path) -> None:
    """The number of packages is told, so that an empty list is none; what the index does not know is not among them."""
    done = audit(tmp_path, KNOWS, CLEAN, AUDIT_REQUIRED="1")
    assert (done.returncode, done.stdout) == (0, "no vulnerability is known of 1 packages; unknown to the index: 0\n")
    done = audit(tmp_path, KNOWS, MIRROR)
    assert done.stdout.endswith("no vulnerability is known of 0 packages; unknown to the index: 1\n")


def test_a_known_vulnerability_fails(tmp_path: Path) -> None:
    """Required or not; the package and the vulnerability are named."""
    done = audit(tmp_path, KNOWS, FOUND)
    assert done.returncode == 1
    assert "thing 1.0 PYSEC-2026-1 1.1" in done.stdout
    assert "Found 1 known vulnerability in 1 package" in done.stderr


@pytest.mark.parametrize(
    ("probe", "real"),
    [(AWAY, CLEAN), (MIRROR, CLEAN), (CLEAN, CLEAN), (KNOWS, AWAY), (SLOW, CLEAN), (KNOWS, SLOW)],
    ids=["away", "mirror", "knows-nothing", "lost", "slow", "slower"],
)
def test_no_answer_is_told_and_fails_only_where_it_is_required(tmp_path: Path, probe: str, real: str) -> None:
    """An index that knows of no vulnerability at all is no answer either: it must know one that everybody knows."""
    done = audit(tmp_path, probe, real, AUDIT_SECONDS="1")
    assert (done.returncode, "not audited: " in done.stderr, "no vulnerability" in done.stdout) == (0, True, False)
    assert audit(tmp_path, probe, real, AUDIT_SECONDS="1", AUDIT_REQUIRED="1").returncode == 1
