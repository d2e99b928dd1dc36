"""What the guide shows runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core.flags import Rule
from postrmagic_core.flags.interface import RULE_BYTES

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "roll-out-a-feature.md").read_text(encoding="utf-8")


def test_the_guide_s_lines_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One block after the other, as somebody copies them, and what they assert holds."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 3
    found: dict[str, Any] = {}
    exec(compile("\n".join(blocks), "roll-out-a-feature.md", "exec"), found)  # noqa: S102 - our own page
    with found["database"], found["audit"], found["flags"] as flags:
        assert found["page"](flags, "8") == {"gallery": "new", "flags": {"new-gallery": True, "search": False}}


def test_the_guide_tells_the_limits_of_the_code() -> None:
    """Its numbers are those of the code, and so are the parts of a rule."""
    assert f"at most {RULE_BYTES:,} bytes" in PAGE
    for part in Rule(1, frozenset("a"), frozenset("b"), frozenset("c")).as_json():
        assert f"| `{part}`" in PAGE
