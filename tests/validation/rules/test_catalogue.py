"""The catalogue as a whole: complete, documented, cheap to import."""

from __future__ import annotations

from pathlib import Path

from postrmagic_core.validation import rules
from tests.validation.rules.catalogue import VECTORS, page

ROOT = Path(__file__).parents[3]


def test_every_rule_is_in_the_table() -> None:
    """A rule without examples is not shipped."""
    assert sorted(vector.name for vector in VECTORS) == sorted(rules.__all__)


def test_the_page_shows_the_rules_as_they_are() -> None:
    """The reference is made from the rules; its first lines say how to make it anew."""
    shown = (ROOT / "docs" / "reference" / "rules.md").read_text(encoding="utf-8")
    assert shown == page(), "run: python -m tests.validation.rules.catalogue > docs/reference/rules.md"
