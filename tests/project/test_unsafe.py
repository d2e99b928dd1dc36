"""What bandit finds stands, unless the line itself says why it is safe."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.project.unsafe import main, unsafe

FOLDERS = {"kit/**": ["S101", "S311"]}


def left(tmp_path: Path, text: str, number: str = "B311", place: str = "package/file.py") -> list[str]:
    """The complaints about one finding, on all lines of a file."""
    (tmp_path / place).parent.mkdir(parents=True)
    (tmp_path / place).write_text(text)
    finding: dict[str, Any] = {"filename": place, "test_id": number, "line_number": 1, "issue_text": "It is unsafe."}
    finding["line_range"] = list(range(1, text.count("\n") + 2))
    return unsafe({"errors": [], "results": [finding]}, tmp_path, FOLDERS)


@pytest.mark.parametrize(
    "text",
    ["x = f()", "x = f()  # noqa: S310 - not this", "x = f()  # S311", "x = f()  # noqa: E501"],
)
def test_what_nothing_excuses_is_told(tmp_path: Path, text: str) -> None:
    """Another check's silencer is none, and the complaint says where to go."""
    assert left(tmp_path, text) == ["package/file.py:1 B311 It is unsafe."]


@pytest.mark.parametrize(
    "text",
    ["x = f()  # noqa: S311 - jitter", "x = f()  # noqa: E501, S311 - jitter", "x = f(\n)  # noqa: S311 - jitter"],
)
def test_what_ruff_is_told_counts(tmp_path: Path, text: str) -> None:
    """On any line of the statement, beside other silencers too."""
    assert left(tmp_path, text) == []


def test_what_ruff_leaves_out_for_a_folder_is_left_out(tmp_path: Path) -> None:
    """There and nowhere else, and only that check."""
    assert left(tmp_path, "x = f()", place="kit/file.py") == []
    assert left(tmp_path / "other", "x = f()", "B608", place="kit/file.py") != []


def test_bandit_finds_what_ruff_does_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """bandit itself runs, reads the configuration, and heeds its own silencer; no file at all is no success."""
    random = "import random\n\nx = random.getrandbits(62)"
    (tmp_path / "one.py").write_text(random)
    (tmp_path / "two.py").write_text(f"{random}  # nosec B311 # not a secret\n")
    (tmp_path / "three.py").write_text("import subprocess\n")
    checked = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--quiet", "--isolated", "--select", "S", str(tmp_path)],
        check=False,
        timeout=30,
    )
    assert checked.returncode == 0
    assert main([str(tmp_path)]) == 1
    (complaint,) = capsys.readouterr().out.splitlines()
    assert complaint.startswith(f"{tmp_path}/one.py:3 B311 ")
    (tmp_path / "empty").mkdir()
    assert main([str(tmp_path / "empty")]) == 1
