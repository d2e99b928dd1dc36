"""What the guide on API tokens shows runs, and its numbers are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from postrmagic_core.security.access_tokens import PATTERN, TokenPolicy

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "give-out-api-tokens.md").read_text(encoding="utf-8")


def test_the_guide_s_lines_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One block after the other, as somebody copies them, and what they assert holds."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert blocks
    exec(compile("\n".join(blocks), "give-out-api-tokens.md", "exec"), {})  # noqa: S102 - our own page


def test_the_guide_tells_the_defaults() -> None:
    """Days, how many, and the pattern."""
    policy, day = TokenPolicy(), 86_400.0
    for said in (
        f"A token lives {policy.lifetime / day:g} days where nothing is said, "
        f"{policy.max_lifetime / day:g} days at most.",
        f"A user has at most {policy.max_per_user} that are good",
        f"deletes tokens {policy.keep / day:g} days after",
        f"```text\n{PATTERN}\n```",
    ):
        assert said in PAGE
