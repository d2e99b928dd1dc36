"""What the how-to shows runs as it is shown."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "find-a-slow-query.md"


def test_its_first_half_runs(tmp_path: Path) -> None:
    """Copied into a file in an empty folder, the blocks print each statement twice and nothing fails."""
    shown = PAGE.read_text(encoding="utf-8").partition("## Let the analysis propose an index")[0]
    (tmp_path / "shown.py").write_text("\n".join(re.findall(r"^```python\n(.*?)^```", shown, re.MULTILINE | re.DOTALL)))
    done = subprocess.run(
        [sys.executable, "-W", "error", "shown.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    asked = [line for line in done.stdout.splitlines() if "SELECT name FROM posters WHERE id = ?" in line]
    assert len(asked) == 2
    assert asked[0].startswith("3 ")
    assert "shown.py:" in asked[0]
