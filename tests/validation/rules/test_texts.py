"""Rules of text: parameters, what attackers try, and that nothing hostile gets another answer than a refusal."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postrmagic_core.errors import ConfigurationError, ValidationFailed
from postrmagic_core.validation import InputLimits
from postrmagic_core.validation.rules import (
    Alphanumeric,
    Base64Text,
    CleanText,
    Contains,
    Digits,
    EndsWith,
    Excludes,
    JsonText,
    Matches,
    NoConfusables,
    PlainText,
    StartsWith,
    Username,
    Words,
)
from tests.validation.conftest import Complaints
from tests.validation.rules.catalogue import VECTORS
from tests.validation.rules.vectors import checks


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: PlainText(max=0),
        lambda: PlainText(max=1, min=2),
        lambda: StartsWith(()),
        lambda: StartsWith(("a", "")),
        lambda: EndsWith(""),
        lambda: Contains(""),
        lambda: Excludes(()),
        lambda: Excludes("x", max=0),
        lambda: Words(max=0),
        lambda: Words(max=1, min=2),
        lambda: Words(max=1, max_length=0),
        lambda: Matches("(?<=a)b"),
        lambda: Matches("a", max=10_001),
        lambda: Alphanumeric(extra="\n"),
        lambda: Username(min=0),
        lambda: Username(min=5, max=4),
        lambda: Base64Text(max=0),
        lambda: JsonText(max=0),
    ],
)
def test_wrong_parameters_are_refused_at_once(wrong: Any) -> None:
    """When the rule is made, not when the first input comes."""
    with pytest.raises(ConfigurationError, match=r"must be|must not|give|at least|not a pattern"):
        wrong()


@pytest.mark.parametrize("rule", [PlainText, CleanText, Digits, Username, Words])
def test_least_and_most_are_named_where_they_are_given(rule: Any) -> None:
    """Nobody has to know which of the two comes first."""
    with pytest.raises(TypeError, match="positional"):
        rule(1, 2)
    assert rule(min=1, max=2)


def test_words_are_counted_in_a_text_that_is_no_longer_than_said(complaints: Complaints) -> None:
    """The characters have their own limit, beside that of the words."""
    validator = checks(Annotated[str, Words(max=2, max_length=5)])
    assert validator.validate("ab cd") == "ab cd"
    assert complaints(lambda: validator.validate("abc de")) == [("", "string_too_long")]
    assert complaints(lambda: validator.validate("a b c")) == [("", "words.too_many")]


TEXT_VECTORS = [vector for vector in VECTORS if isinstance(vector.valid[0][0], str)]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_whatever_the_text_the_answer_is_a_value_that_stays_or_a_refusal(data: st.DataObject) -> None:
    """Of letters of the rule's own examples and of hostile ones, cut, doubled and mixed."""
    vector = data.draw(st.sampled_from(TEXT_VECTORS))
    validator = checks(vector.rule)
    examples = [text for text, _ in (*vector.valid, *vector.invalid) if len(text) < 100]
    alphabet = "".join(sorted(set("".join(examples)) | set("\0\n\u0130\u0301\u200d\u202e\uff11\u0661\U0001f600é")))
    piece = st.sampled_from(examples) | st.text(alphabet=alphabet, max_size=6)
    text = "".join(data.draw(st.lists(piece, max_size=3)))
    try:
        kept = validator.validate(text)
    except ValidationFailed:
        return
    assert validator.validate(kept) == kept


def test_a_pattern_describes_the_whole_text(complaints: Complaints) -> None:
    """Alternatives, flags and line ends do not let more through."""
    for pattern, text in (("a|b", "ax"), ("a|b", "xb"), ("(?m)a$", "a\nb"), ("a", "a\n"), ("(?s).", "ab"), ("", "a")):
        validator = checks(Annotated[str, Matches(pattern)])
        assert complaints(partial(validator.validate, text)) == [("", "text.pattern")]
    assert checks(Annotated[str, Matches("(?i)abc")]).validate("aBC") == "aBC"


def test_a_name_may_be_of_one_script_as_a_whole(complaints: Complaints) -> None:
    """Words of two scripts pass one by one, and not together."""
    mixed = "Иван Smith"
    assert checks(Annotated[str, NoConfusables()]).validate(mixed) == mixed
    assert complaints(lambda: checks(Annotated[str, NoConfusables(whole=True)]).validate(mixed)) == [
        ("", "text.confusable")
    ]


def test_reserved_names_are_the_applications_to_choose(complaints: Complaints) -> None:
    """In any case and with any joining characters."""
    validator = checks(Annotated[str, Username(min=2, reserved=("Acme",))])
    assert validator.validate("admin") == "admin"
    assert complaints(lambda: validator.validate("AC.me")) == [("", "username.reserved")]


def test_base64_of_each_alphabet(complaints: Complaints) -> None:
    """Neither takes the other's, and each content has one spelling."""
    urlsafe = checks(Annotated[str, Base64Text(max=5, urlsafe=True)])
    assert urlsafe.validate("-_8") == "-_8"
    for text in ("-_8=", "+/8", "-_9", "-", "-_8\n"):
        assert complaints(partial(urlsafe.validate, text)) == [("", "base64.form")]
    assert complaints(lambda: urlsafe.validate("AAAAAAAA")) == [("", "limit.bytes")]


def test_json_in_a_text_keeps_its_limits(complaints: Complaints) -> None:
    """They are the rule's own, and the names of the document's fields are not told."""
    validator = checks(Annotated[str, JsonText(limits=InputLimits(depth=1, bytes=20))])
    assert complaints(lambda: validator.validate("[[]]")) == [("", "limit.depth")]
    assert complaints(lambda: validator.validate('"' + "é" * 10 + '"')) == [("", "limit.bytes")]
    with pytest.raises(ValidationFailed) as caught:
        validator.validate('{"key":1,"key":2}')
    assert caught.value.errors == [
        {"pointer": "", "code": "json.duplicate_key", "message": "names the same field twice"}
    ]


def test_the_developers_own_words_are_shown() -> None:
    """What a text must begin with is said; what was sent is not."""
    with pytest.raises(ValidationFailed) as caught:
        checks(Annotated[str, StartsWith(("http:", "https:"))]).validate("gopher:hunter2")
    assert caught.value.errors[0]["message"] == "must begin with “http:”, “https:”"
