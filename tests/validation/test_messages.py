"""Messages are complete, and name only what the rule knows; pointers resolve."""

from __future__ import annotations

import re
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core._pydantic_core import list_all_errors

from postrmagic_core.validation.messages import ENGLISH, GENERIC, Catalogue, text
from postrmagic_core.validation.messages_de import GERMAN
from postrmagic_core.validation.policy import failed, pointer_to, translate
from tests.validation.fuzzing import quick

KNOWN: dict[str, Any] = {error["type"]: error for error in list_all_errors()}
FROM_THE_INPUT = {"error", "tag", "actual_length", "tz_actual", "encoding_error", "attribute"}
# What strict_json has told before pydantic could.
RENAMED = {"json_invalid": "json.invalid"}
IN_EACH = pytest.mark.parametrize("catalogue", [ENGLISH, GERMAN], ids=["en", "de"])


def parts_of(template: str | tuple[str, str]) -> tuple[str, ...]:
    """A text's singular and plural, or its one form."""
    return template if isinstance(template, tuple) else (template,)


def placeholders(template: str | tuple[str, str]) -> set[str]:
    """The names a text fills in."""
    return {name for part in parts_of(template) for _, name, _, _ in string.Formatter().parse(part) if name}


def test_texts_for_pydantics_codes_fit_them() -> None:
    """Each is a code of this pydantic, and asks only for what pydantic supplies from the rule."""
    for code in [code for code in ENGLISH if "." not in code]:
        supplied = set(KNOWN[code].get("example_context") or {})
        assert placeholders(ENGLISH[code]) <= supplied - FROM_THE_INPUT, code


@IN_EACH
def test_every_error_of_pydantic_has_a_text(catalogue: Catalogue) -> None:
    """A new version of pydantic with a new error is told here: write its text in both languages."""
    assert sorted({RENAMED.get(code, code) for code in KNOWN} - catalogue.keys()) == []


@IN_EACH
def test_every_error_of_pydantic_is_told_in_our_words(catalogue: Catalogue) -> None:
    """Never in pydantic's own, which may quote the input, and with every gap filled."""
    for code, known in KNOWN.items():
        example = known.get("example_context") or {}
        context = {name: "CANARY" if name in FROM_THE_INPUT else value for name, value in example.items()}
        (problem,) = translate([{"type": code, "loc": (), "msg": "CANARY", "ctx": context}], {}, catalogue)
        assert problem["message"], code
        assert "CANARY" not in problem["message"], code
        assert "…" not in problem["message"], code


def test_both_languages_know_the_same_codes() -> None:
    """What German lacks is listed with its English text, ready to be translated into messages_de.py."""
    missing = [f'"{code}": {ENGLISH[code]!r},' for code in ENGLISH if code not in GERMAN]
    unknown = [f'"{code}": {GERMAN[code]!r},' for code in GERMAN if code not in ENGLISH]
    if missing or unknown:
        pytest.fail("\n  ".join(["German lacks:", *missing, "English lacks:", *unknown]), pytrace=False)


def test_a_translation_says_as_much_as_its_original() -> None:
    """The same placeholders, singular and plural where the original has them; it is translated, and short."""
    for code in sorted(ENGLISH.keys() & GERMAN.keys()):
        english, german = ENGLISH[code], GERMAN[code]
        assert isinstance(german, tuple) is isinstance(english, tuple), code
        assert placeholders(german) == placeholders(english), code
        assert all(placeholders(part) == placeholders(german) for part in parts_of(german)), code
        assert not set(parts_of(german)) & set(parts_of(english)), code
        assert max(map(len, parts_of(german))) <= 120, code


@IN_EACH
@pytest.mark.parametrize("number", [1, 2])
def test_no_placeholder_is_left(catalogue: Catalogue, number: int) -> None:
    """Filled in with one and with many of what it names, a text has no brace and no gap; the form fits the number."""
    for code, template in catalogue.items():
        told = text(code, dict.fromkeys(placeholders(template), number), catalogue)
        assert told
        assert not set("{}…") & set(told), code
        assert told == parts_of(template)[-1 if number > 1 else 0].format_map(
            dict.fromkeys(placeholders(template), number)
        )


@IN_EACH
def test_a_placeholder_is_a_plain_name(catalogue: Catalogue) -> None:
    """No attribute, no index, no conversion: a text can only show what the rule gives it (ASVS 1.3.10)."""
    fields = [
        (code, name, form, conversion)
        for code, template in catalogue.items()
        for part in parts_of(template)
        for _, name, form, conversion in string.Formatter().parse(part)
        if name is not None
    ]
    assert [field for field in fields if not field[1].isidentifier() or field[2] or field[3]] == []


def test_german_addresses_nobody() -> None:
    """Neither du nor Sie: the same text fits every application."""
    address = re.compile(r"\b(?:du|dich|dir|dein\w*|euch|eure?\w*|Sie|Ihnen|Ihr\w*|[Bb]itte|man)\b")
    spoken = {code: part for code, template in GERMAN.items() for part in parts_of(template) if address.search(part)}
    assert spoken == {}


@IN_EACH
def test_a_text_continues_the_name_of_its_field(catalogue: Catalogue) -> None:
    """It begins in lower case and ends without a full stop, so that it can stand behind a label, or alone."""
    texts = [part for template in catalogue.values() for part in parts_of(template)]
    assert [part for part in texts if not part[0].islower() or part.endswith(".") or part != part.strip()] == []


def test_one_and_many_are_told_apart_in_german() -> None:
    """By the number of the rule, as in English."""
    assert text("too_long", {"max_length": 1}, GERMAN) == "darf höchstens 1 Eintrag haben"
    assert text("too_long", {"max_length": 5}, GERMAN) == "darf höchstens 5 Einträge haben"


def test_what_a_language_lacks_is_told_in_english() -> None:
    """A catalogue may translate a part."""
    assert text("missing", {}, {"too_long": "zu lang"}) == ENGLISH["missing"]


def test_a_catalogue_that_asks_for_too_much_still_speaks() -> None:
    """A wrong name in a translation leaves a gap, no error while answering."""
    assert text("missing", {}, {"missing": "braucht {nothing}"}) == "braucht …"
    assert text("no.such", {}) is None
    assert failed("no.such").errors == [{"pointer": "", "code": "no.such", "message": GENERIC}]


TREES: st.SearchStrategy[Any] = st.recursive(
    st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/~01", max_size=3), inner, max_size=3),
    max_leaves=8,
)


@quick
@given(TREES, st.data())
def test_a_pointer_leads_where_the_location_did(tree: Any, data: st.DataObject) -> None:
    """Following the pointer as RFC 6901 says (unescape ~1, then ~0) ends at the same value."""
    loc, node = [], tree
    while isinstance(node, (list, dict)) and node and data.draw(st.booleans()):
        step = data.draw(st.sampled_from(range(len(node)) if isinstance(node, list) else sorted(node)))
        loc.append(step)
        node = node[step]
    found = tree
    for token in pointer_to(loc, tree).split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        found = found[int(name)] if isinstance(found, list) else found[name]
    assert found is node


@pytest.mark.parametrize(
    ("loc", "data", "pointer"),
    [
        (("a", "int"), {"a": "x"}, "/a"),
        (("pet", "cat", "lives"), {"pet": {"lives": "x"}}, "/pet/lives"),
        (("names", "k", "[key]"), {"names": {"k": 1}}, "/names/k"),
        (("rows", 5), {"rows": [1]}, "/rows"),
        (("a", "b"), {"a": {"b\n": 1}}, "/a"),
        ((), 5, ""),
    ],
)
def test_steps_that_are_no_place_are_left_out(loc: Any, data: object, pointer: str) -> None:
    """Branches of unions, keys as such, places that are not there."""
    assert pointer_to(loc, data) == pointer


def test_the_same_problem_is_told_once() -> None:
    """Two branches of a union may say the same."""
    error = {"type": "int_type", "loc": ("a",), "msg": ""}
    assert len(translate([error, {**error, "loc": ("a", "int")}], {"a": ""}, ENGLISH)) == 1
