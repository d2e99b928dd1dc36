"""What the how-to "avoid-lost-edits" shows runs as it is shown."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "avoid-lost-edits.md"


# The class is declared there and not served: that it may be is looked at here.
RESOURCE = """
from postrmagic_core.api.declaring import operations_of

print(*(each.name for each in operations_of(Products)))
db.close()
"""


def test_its_lines_run_and_print_what_they_say(tmp_path: Path) -> None:
    """Copied into a file in an empty folder."""
    shown = "\n".join(re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.DOTALL))
    (tmp_path / "shown.py").write_text(f"{shown}\n{RESOURCE}")
    done = subprocess.run(
        [sys.executable, "-W", "error", "shown.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        *re.findall(r"print\(.*\)  # (.*)$", shown, re.MULTILINE),
        "show_product change_product",
    ]
