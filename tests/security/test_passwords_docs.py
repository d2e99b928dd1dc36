"""What the guides show runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from postrmagic_core.security.logins import ThrottleLimits
from postrmagic_core.security.passwords import PasswordRules

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("guide", ["keep-passwords.md", "reset-a-password.md"])
def test_the_guide_s_lines_run(guide: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One block after the other, as somebody copies them, and what they assert holds."""
    monkeypatch.chdir(tmp_path)
    page = (DOCS / "how-to" / guide).read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert blocks
    exec(compile("\n".join(blocks), guide, "exec"), {})  # noqa: S102 - our own page


def test_the_guide_tells_the_defaults() -> None:
    """Its numbers are those of the code."""
    page = (DOCS / "how-to" / "keep-passwords.md").read_text(encoding="utf-8")
    rules, limits = PasswordRules(), ThrottleLimits()
    for said in (
        f"by default {rules.min_length} |",
        f"by default {rules.max_bytes:,};",
        f"| {limits.own.amount} in {limits.own.period / 60:g} minutes |",
        f"| {limits.network.amount} an hour |",
        f"| {limits.account.amount} an hour |",
    ):
        assert said in page
    assert limits.network.period == limits.account.period == 3600.0
