"""Messages are complete, and name only what the rule knows; pointers resolve."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core._pydantic_core import list_all_errors

from postrmagic_core.validation.messages import ENGLISH, GENERIC, text
from postrmagic_core.validation.policy import failed, pointer_to, translate

KNOWN: dict[str, Any] = {error["type"]: error for error in list_all_errors()}
FROM_THE_INPUT = {"error", "tag", "actual_length", "tz_actual", "encoding_error", "attribute"}


def placeholders(template: str | tuple[str, str]) -> set[str]:
    """The names a text fills in."""
    parts = template if isinstance(template, tuple) else (template,)
    return {name for part in parts for _, name, _, _ in string.Formatter().parse(part) if name}


@pytest.mark.parametrize("code", [code for code in ENGLISH if "." not in code])
def test_texts_for_pydantics_codes_fit_them(code: str) -> None:
    """Each is a code of this pydantic, and asks only for what pydantic supplies from the rule."""
    supplied = set(KNOWN[code].get("example_context") or {})
    assert placeholders(ENGLISH[code]) <= supplied - FROM_THE_INPUT


@pytest.mark.parametrize("code", list(KNOWN))
def test_every_error_of_pydantic_has_words(code: str) -> None:
    """Ours where it is common, and never pydantic's own, which may quote the input."""
    example = KNOWN[code].get("example_context") or {}
    context = {name: "CANARY" if name in FROM_THE_INPUT else value for name, value in example.items()}
    (problem,) = translate([{"type": code, "loc": (), "msg": "CANARY", "ctx": context}], {}, ENGLISH)
    assert problem["message"]
    assert "CANARY" not in problem["message"]
    assert "…" not in problem["message"]


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
