"""What the guide on other programs shows runs, and its numbers are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from postrmagic_core.security.oauth import OAuthPolicy

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "how-to" / "let-other-programs-use-the-api.md").read_text(encoding="utf-8")
OTHER = (DOCS / "how-to" / "accept-tokens-of-another-server.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", [PAGE, OTHER], ids=["server", "resource"])
def test_the_guide_s_lines_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One block after the other, as somebody copies them, and what they assert holds."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert blocks
    exec(compile("\n".join(blocks), "guide.md", "exec"), {})  # noqa: S102 - our own page


def test_the_guide_tells_the_defaults() -> None:
    """Minutes, seconds and days."""
    policy, words = OAuthPolicy(), {10.0: "ten"}
    for said in (
        f"An access token lives {words[policy.access_token_lifetime // 60]} minutes",
        f"again within {words[policy.retry_window]} seconds",
        f"deletes rows {policy.keep / 86_400:g} days after",
    ):
        assert said in PAGE
