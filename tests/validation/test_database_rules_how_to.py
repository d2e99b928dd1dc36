"""What the how-to about database rules shows runs as it is shown."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "check-against-the-database.md"


def test_its_lines_run_and_print_what_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Copied into a file in an empty folder."""
    shown = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (tmp_path / "shown.py").write_text("\n".join(shown))
    monkeypatch.chdir(tmp_path)
    runpy.run_path("shown.py", run_name="__main__")
    told = re.findall(r"^ +# (.*)$", "\n".join(shown), re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == [" ".join(line.strip() for line in told), "bob", "carl"]
