"""Breaking changes fail until somebody reviewed them, and reviews end with what they are of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from postrmagic_core.api.compare import Change, NotASpecification, Reviewed, compare, judge, read_reviewed
from tests.api.compare.specifications import answered, fields

TEXT = {"type": "string"}
REVIEWED = """
[[reviewed]]
code = "response.field_removed"
place = "POST /things 200 b"
reason = "nobody ever filled it"
date = 2026-11-28
"""


def changes() -> list[Change]:
    """One breaking change, one additive."""
    return compare(answered(fields(a=TEXT, b=TEXT)), answered(fields(a=TEXT, c=TEXT)))


def test_a_breaking_change_fails_until_it_is_reviewed() -> None:
    """What is additive needs no review."""
    verdict = judge(changes(), [])
    assert [one.code for one in verdict.unreviewed] == ["response.field_removed"]
    assert not verdict.passes
    (entry,) = read_reviewed(REVIEWED)
    assert entry == Reviewed("response.field_removed", "POST /things 200 b", "nobody ever filled it", "2026-11-28")
    assert judge(changes(), [entry]).passes


@pytest.mark.parametrize(("of", "instead"), [("200 b", "200 a"), ("200 b", "200 c"), ("field_removed", "type_changed")])
def test_a_review_of_something_else_is_stale(of: str, instead: str) -> None:
    """And leaves the change unreviewed; a change that breaks nobody has no review."""
    verdict = judge(changes(), read_reviewed(REVIEWED.replace(of, instead)))
    assert len(verdict.unreviewed) == len(verdict.stale) == 1
    assert not verdict.passes


def test_a_review_outlives_nothing() -> None:
    """When the change is not there any more, the review fails."""
    verdict = judge([], read_reviewed(REVIEWED))
    assert [one.place for one in verdict.stale] == ["POST /things 200 b"]
    assert not verdict.passes


def test_no_reviews_are_no_error() -> None:
    """An empty file reviews nothing."""
    assert read_reviewed("# none yet\n") == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[[reviewed]", "no TOML"),
        ("[review]\na = 1", "something else"),
        ("reviewed = 1", "something else"),
        ("reviewed = [1]", "entry 1"),
        (REVIEWED.replace("reason", "because"), "must have code, place, reason, date"),
        (REVIEWED + "also = 1", "nothing else"),
        (REVIEWED.replace("nobody ever filled it", "  "), "not empty"),
        (REVIEWED.replace("2026-11-28", '"2026-11-28"'), "without quotes"),
        (REVIEWED.replace("2026-11-28", "2026-11-28T10:00:00Z"), "without quotes"),
        (REVIEWED.replace("field_removed", "field_lost"), "no rule"),
        (REVIEWED + REVIEWED, "twice"),
    ],
)
def test_a_review_that_says_too_little_is_refused(text: str, complaint: str) -> None:
    """Each with what is missing."""
    with pytest.raises(NotASpecification, match=complaint):
        read_reviewed(text)


def test_the_guide_holds() -> None:
    """Its Python runs, and its review can be read."""
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "change-the-api.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    exec(compile(code, "change-the-api.md", "exec"), {})  # noqa: S102 - the page is the project's own
    (review,) = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert read_reviewed(review)[0].code == "response.field_removed"
    assert set(re.findall(r"--[a-z]+", page)) <= {"--app", "--check", "--reviewed", "--json"}
