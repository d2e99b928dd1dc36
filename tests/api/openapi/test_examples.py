"""Examples: each is checked against what it shows before it is told, and its parts stay together."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator

from postrmagic_core.api.interface import Example, Operation
from postrmagic_core.errors import ConfigurationError
from postrmagic_core.validation import Input, invalid
from tests.api.openapi.sketch import CHANGE, DELETE, FILE, FIRST_PAGE, LIST, MEDIUM, NOT_FOUND, UPLOAD, described


def test_the_parts_of_an_example_have_one_key() -> None:
    """As the value of a parameter, of the body and of the answer, in the type that they have there."""
    said = described(CHANGE)["paths"]["/media/{id}"]["patch"]
    assert said["parameters"][0]["examples"]["another-title"] == {"summary": "Another title", "value": 7}
    body = said["requestBody"]["content"]["application/json"]["examples"]
    assert body["another-title"]["value"] == {"title": "Jazz at the harbour"}
    answered = said["responses"]["200"]["content"]["application/json"]["examples"]
    assert answered["another-title"]["value"] == {"data": MEDIUM}
    refused = said["responses"]["404"]["content"]["application/problem+json"]["examples"]
    assert refused["a-medium-that-is-gone"]["value"] == NOT_FOUND


def test_texts_of_a_query_become_values() -> None:
    """Of the type that the parameter has; one of several is a list."""
    example = Example("All", query={"limit": "2", "old": "true", "tag": "jazz", "kind": "flyer", "q": "12"})
    said = described(replace(LIST, examples=[example]))["paths"]["/media"]["get"]["parameters"]
    shown = {one["name"]: one["examples"]["all"]["value"] for one in said if "examples" in one}
    assert shown == {"q": "12", "kind": "flyer", "tag": ["jazz"], "limit": 2, "old": True}


def test_two_examples_of_one_title_have_two_keys() -> None:
    """And none has that of a problem."""
    deleted = [Example("Internal", {"id": "7"}), Example("Internal!", {"id": "8"}), Example("…", {"id": "9"})]
    said = described(replace(DELETE, examples=deleted))["paths"]["/media/{id}"]["delete"]
    assert list(said["parameters"][0]["examples"]) == ["internal", "internal-2", "example"]


def test_a_problem_may_have_members_of_its_own() -> None:
    """RFC 9457, section 3.2."""
    gone = {**NOT_FOUND, "deleted_at": "2026-05-01"}
    said = described(replace(CHANGE, examples=[Example("x", {"id": "7"}, body={}, status=404, answer=gone)]))
    told = said["paths"]["/media/{id}"]["patch"]["responses"]["404"]["content"]["application/problem+json"]["examples"]
    assert told["x"]["value"]["deleted_at"] == "2026-05-01"


def page(**changed: Any) -> dict[str, Any]:
    """A page of one medium."""
    return {"data": [{**MEDIUM, **changed}], "next": None}


@pytest.mark.parametrize(
    ("operation", "example", "words"),
    [
        (LIST, Example("x", query={"limit": "0"}), "/limit must be at least 1"),
        (LIST, Example("x", query={"limit": "many"}), "/limit must be a whole number"),
        (LIST, Example("x", query={"sort": "size"}), "/sort"),
        (LIST, Example("x", query={"colour": "red"}), "/colour is not a known field"),
        (LIST, Example("x", body={}), "a body is not declared"),
        (LIST, Example("x", answer=page(id="7")), "answer 200 /data/0/id: expected integer"),
        (LIST, Example("x", answer={"data": []}), "answer 200 /next: is missing"),
        (LIST, Example("x", answer={"data": [], "next": None, "meta": {}}), "answer 200 /meta: is not declared"),
        (LIST, Example("x", answer=page(created_at="2026-05-01")), "expected an offset"),
        (LIST, Example("x", answer=page(facts=[{"type": "colour"}])), "fits no choice"),
        (LIST, Example("x", status=204), "204 is not among the answers"),
        (LIST, Example("x", status=404, answer=NOT_FOUND), "no answer 404 with a JSON body is declared"),
        (CHANGE, Example("x", {"id": "0"}, body={}), "path id is not of its type"),
        (CHANGE, Example("x", {}, body={}), r"path names \[\], expected \['id'\]"),
        (CHANGE, Example("x", {"id": "7", "to": "8"}, body={}), "path names"),
        (CHANGE, Example("x", {"id": "7"}), "a body is missing"),
        (CHANGE, Example("x", {"id": "7"}, {"q": "a"}, {}), "query q is not declared"),
        (CHANGE, Example("x", {"id": "7"}, body={"titel": "a"}), "/titel is not a known field"),
        (CHANGE, Example("x", {"id": "7"}, body={"title": "a" * 801}), "/title"),
        (CHANGE, Example("x", {"id": "7"}, body={"kind": {1, 2}}), "cannot be said in JSON"),
        (CHANGE, Example("x", {"id": "7"}, body={}, status=404, answer={"title": "x"}), "answer 404 /type: is missing"),
        (CHANGE, Example("x", {"id": "7"}, body={}, status=404, answer=NOT_FOUND | {"status": "404"}), "/status: exp"),
        (DELETE, Example("x", {"id": "7"}, answer={}), "no answer 204 with a JSON body is declared"),
        (FILE, Example("x", {"id": "7", "variant": "file"}, answer={}), "no answer 200 with a JSON body is declared"),
        (FILE, Example("x", {"id": "7", "variant": "film"}), "path variant is not of its type"),
        (UPLOAD, Example("x", body={"title": "Jazz"}), "/file is required"),
        (UPLOAD, Example("x", body={"file": "a.png", "size": 3}), "/size is not a known field"),
        (UPLOAD, Example("x", body="a.png"), "no mapping of a form's fields"),
    ],
)  # fmt: skip
def test_an_example_that_does_not_fit_is_refused(operation: Operation, example: Example, words: str) -> None:
    """With the operation, the example and the field."""
    with pytest.raises(ConfigurationError, match=words) as refused:
        described(replace(operation, examples=[example]))
    assert str(refused.value).startswith(f"{operation.name}, example “x”")
    assert refused.value.__cause__ is None


def test_the_rules_of_a_body_count_for_its_examples() -> None:
    """Those that JSON Schema cannot say too."""

    def even(number: int) -> int:
        if number % 2:
            raise invalid("body.even", "must be even")
        return number

    class Body(Input):
        """An even number."""

        number: Annotated[int, AfterValidator(even)]

    def with_body(body: Any) -> Operation:
        return replace(CHANGE, body=Body, examples=[Example("x", {"id": "7"}, body=body)])

    described(with_body({"number": 2}))
    with pytest.raises(ConfigurationError, match="/number must be even"):
        described(with_body({"number": 3}))


def test_a_form_takes_several_files_and_texts_of_every_type() -> None:
    """A file is told by its name, and none is looked for."""
    body = {"file": "a.png", "more": ["b.png", "c.png"], "tags": ["x", "y"]}
    said = described(replace(UPLOAD, examples=[Example("x", body=body)]))["paths"]["/media"]["post"]
    assert said["requestBody"]["content"]["multipart/form-data"]["examples"]["x"]["value"] == body


def test_an_example_says_nothing_of_what_is_left_out() -> None:
    """Only what it shows is told."""
    said = described(replace(LIST, examples=[FIRST_PAGE]))["paths"]["/media"]["get"]
    assert [one["name"] for one in said["parameters"] if "examples" in one] == ["q", "limit"]
