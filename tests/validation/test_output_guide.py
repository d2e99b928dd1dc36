"""What the guide shows is what comes out."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "show-what-users-wrote.md"


def test_the_guide_shows_what_comes_out(tmp_path: Path) -> None:
    """Its blocks run one after the other, and each line with an arrow gives what stands behind it."""
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    line = re.compile(r"^(\S.*)  # -> (.*)$", re.MULTILINE)
    code, shown = line.subn(lambda match: f"SHOWN.append(({match[1]}, {match[2]!r}))", "\n".join(blocks))
    (tmp_path / "guide.py").write_text(f"from __future__ import annotations\nSHOWN = []\n{code}", encoding="utf-8")
    found = runpy.run_path(str(tmp_path / "guide.py"))["SHOWN"]
    assert len(found) == shown >= 10
    for given, told in found:
        assert given.replace("\r\n", "\\r\\n") == told
