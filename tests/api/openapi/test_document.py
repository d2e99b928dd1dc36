"""The document of operations: valid OpenAPI 3.1, the same each time, and right about what is sent and answered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from postrmagic_core.api import openapi
from postrmagic_core.api.interface import Deprecation, Files, Operation
from postrmagic_core.errors import ConfigurationError
from postrmagic_core.validation import Input
from postrmagic_core.validation.responses import Data, Page
from tests.api.openapi.sketch import (
    CHANGE,
    DELETE,
    HEALTH,
    LIST,
    OPERATIONS,
    OWN,
    PROBLEMS,
    SECURITY,
    SHOW,
    Medium,
    described,
)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document of the sketch."""
    return described()


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    """A validator of the specification finds nothing."""
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    assert document["openapi"] == "3.1.1"


def test_the_least_there_can_be_is_valid() -> None:
    """No problems, no schemes, no groups."""
    made = openapi.document([SHOW], title="Least", version="1.0.0")
    assert list(OpenAPIV31SpecValidator(made).iter_errors()) == []
    assert made["servers"] == [{"url": "/api/v1"}]
    assert "description" not in made["info"]


def test_the_same_operations_make_the_same_document_in_the_same_order(document: dict[str, Any]) -> None:
    """A diff shows what changed: operations in their order, components by name."""
    again = described()
    assert json.dumps(again) == json.dumps(document)
    assert list(document["paths"]) == ["/media", "/media/{id}", "/media/{id}/{variant}", "/health/{node}"]
    assert list(document["paths"]["/media"]) == ["get", "post"]
    assert [tag["name"] for tag in document["tags"]] == ["media", "files", "health"]
    for section in document["components"].values():
        assert list(section) == sorted(section)


def test_a_further_operation_changes_nothing_else() -> None:
    """What stands in the document of some stands in that of more."""
    some, more = described(LIST, CHANGE), described(LIST, CHANGE, DELETE, HEALTH)
    assert some["paths"]["/media"] == more["paths"]["/media"]
    assert some["paths"]["/media/{id}"]["patch"] == more["paths"]["/media/{id}"]["patch"]
    assert some["components"]["schemas"].items() <= more["components"]["schemas"].items()


def test_every_component_is_used(document: dict[str, Any]) -> None:
    """Nothing is left over, such as the model of a query."""
    text = json.dumps(document)
    for section in set(document["components"]) - {"securitySchemes"}:
        for name in document["components"][section]:
            assert f'"#/components/{section}/{name}"' in text
    assert "ListQuery" not in text


def test_each_field_of_the_query_is_a_parameter(document: dict[str, Any]) -> None:
    """With its description, its default and its limits; nothing in a query is null."""
    found = {one["name"]: one for one in document["paths"]["/media"]["get"]["parameters"] if "name" in one}
    assert list(found) == ["q", "kind", "tag", "uploaded_from", "limit", "after", "sort", "old"]
    assert all(one["in"] == "query" and "required" not in one for one in found.values())
    assert found["limit"]["description"] == "How many at most."
    assert found["limit"]["schema"] == {"default": 24, "maximum": 100, "minimum": 1, "type": "integer"}
    assert found["q"]["schema"] == {"maxLength": 200, "type": "string"}
    assert found["kind"]["schema"] == {"$ref": "#/components/schemas/Kind"}
    assert found["tag"]["schema"]["items"] == {"format": "tag", "maxLength": 40, "minLength": 1, "type": "string"}
    assert found["uploaded_from"]["schema"] == {"format": "date-time", "type": "string"}
    assert found["old"]["deprecated"] is True
    # Left blank they count as left out; a text that is empty is one.
    assert {name for name, one in found.items() if one.get("allowEmptyValue")} == {"uploaded_from", "limit", "old"}
    assert "null" not in json.dumps([one["schema"] for one in found.values()])


def test_a_value_of_the_query_that_must_be_sent_is_required() -> None:
    """One without a default."""

    class Search(Input):
        """Words."""

        q: str

    made = described(replace(SHOW, query=Search))
    assert made["paths"]["/things"]["get"]["parameters"] == [
        {"name": "q", "in": "query", "required": True, "schema": {"type": "string"}}
    ]


def test_the_values_of_the_path_are_required(document: dict[str, Any]) -> None:
    """Each with its type and its description."""
    found = document["paths"]["/media/{id}/{variant}"]["get"]["parameters"]
    assert found[0]["schema"] == {"type": "integer", "minimum": 1}
    assert found[0]["description"] == "The medium's number."
    assert found[1]["schema"]["enum"] == ["file", "thumbnail"]
    assert [one["required"] for one in found[:2]] == [True, True]


def test_a_conditional_operation_may_be_asked_by_its_tag(document: dict[str, Any]) -> None:
    """Reads by If-None-Match, with 304 and no body; writes by If-Match, with 412."""
    read, write = document["paths"]["/media"]["get"], document["paths"]["/media/{id}"]["patch"]
    assert read["parameters"][-1] == {"$ref": "#/components/parameters/IfNoneMatch"}
    assert write["parameters"][-1] == {"$ref": "#/components/parameters/IfMatch"}
    assert "content" not in read["responses"]["304"]
    assert "ETag" in read["responses"]["200"]["headers"]
    assert "ETag" in read["responses"]["304"]["headers"]
    assert "412" in write["responses"]
    assert "304" not in write["responses"]
    assert "412" not in document["paths"]["/media/{id}"]["delete"]["responses"]


def test_a_json_body_is_closed_and_required(document: dict[str, Any]) -> None:
    """Unknown fields are refused, and the document says so."""
    body = document["paths"]["/media/{id}"]["patch"]["requestBody"]
    assert body["required"] is True
    assert body["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Change"}
    assert document["components"]["schemas"]["Change"]["additionalProperties"] is False


def test_a_form_says_which_files_it_takes(document: dict[str, Any]) -> None:
    """By media type (OpenAPI 3.1), one or several; texts beside them are never null."""
    body = document["paths"]["/media"]["post"]["requestBody"]["content"]["multipart/form-data"]
    form = document["components"]["schemas"]["Upload"]
    assert body["encoding"] == {"file": {"contentType": "image/png, image/webp"}, "more": {"contentType": "image/png"}}
    assert form["properties"]["file"] == {"type": "string", "contentMediaType": "application/octet-stream"}
    assert form["properties"]["more"]["items"] == {"type": "string", "contentMediaType": "image/png"}
    assert form["properties"]["title"]["type"] == "string"
    assert form["required"] == ["file"]


def test_answers_have_their_models_and_files_their_types(document: dict[str, Any]) -> None:
    """And no content where there is no body."""
    listed = document["paths"]["/media"]["get"]["responses"]["200"]["content"]
    assert listed["application/json"]["schema"] == {"$ref": "#/components/schemas/MediumPage"}
    file = document["paths"]["/media/{id}/{variant}"]["get"]["responses"]
    assert file["200"]["content"] == {"image/webp": {}, "image/png": {}}
    assert "304" in file
    assert "content" not in document["paths"]["/media/{id}"]["delete"]["responses"]["204"]


def test_what_leaves_is_open_and_complete(document: dict[str, Any]) -> None:
    """A further field is no break; each field is there, also one with a default; what is left out is not told."""
    for name in ("Medium", "MediumPage", "MediumAnswer", "Part"):
        assert "additionalProperties" not in document["components"]["schemas"][name]
    medium = document["components"]["schemas"]["Medium"]
    assert set(medium["required"]) == set(medium["properties"])
    assert "hidden" not in medium["properties"]
    assert medium["properties"]["file"]["readOnly"] is True
    assert "default" not in json.dumps(medium)
    assert document["components"]["schemas"]["MediumPage"]["required"] == ["data", "next"]


def test_every_answer_says_its_version(document: dict[str, Any]) -> None:
    """Problems too."""
    for response in responses(document):
        assert "API-Version" in response["headers"]


def test_headers_are_those_that_are_declared(document: dict[str, Any]) -> None:
    """Beside those that follow from what the operation is."""
    created = document["paths"]["/media"]["post"]["responses"]["201"]["headers"]
    assert created["Location"]["description"] == "Where the medium is."
    file = document["paths"]["/media/{id}/{variant}"]["get"]["responses"]["200"]["headers"]
    assert file["ETag"]["description"] == "The file's digest."
    assert "Content-Disposition" in file
    assert "Retry-After" in document["paths"]["/media"]["post"]["responses"]["429"]["headers"]


def test_what_is_deprecated_says_since_when_until_when_and_what_instead(document: dict[str, Any]) -> None:
    """In the document, and in the headers of each answer."""
    said = document["paths"]["/media/{id}"]["delete"]
    assert said["deprecated"] is True
    assert (said["x-deprecated-since"], said["x-sunset"]) == ("2026-01-01", "2027-01-01")
    assert said["x-deprecation-link"] == "/docs/deleting"
    for status in ("204", "404"):
        assert {"Deprecation", "Sunset", "Link"} <= set(said["responses"][status]["headers"])
    assert "deprecated" not in document["paths"]["/media/{id}"]["patch"]
    only = described(replace(SHOW, deprecated=Deprecation(date(2026, 1, 1))))["paths"]["/things"]["get"]
    assert "x-sunset" not in only
    assert "Sunset" not in only["responses"]["200"]["headers"]


def test_problems_stand_by_status_with_an_example_of_each(document: dict[str, Any]) -> None:
    """The operation's own and those of its kind, as RFC 9457 has them."""
    answers = document["paths"]["/media/{id}"]["patch"]["responses"]
    codes = {status: list(one["content"]["application/problem+json"]["examples"]) for status, one in refusals(answers)}
    assert codes == {
        "401": ["authentication.required"],
        "403": ["access.denied"],
        "404": ["media.not_found", "a-medium-that-is-gone"],
        "412": ["precondition.failed"],
        "413": ["data.too_large"],
        "414": ["request.target_too_long"],
        "415": ["body.unsupported_type"],
        "422": ["data.invalid"],
    }
    told = document["components"]["examples"]["media.not_found"]
    assert told["value"] == {
        "type": "/problems/media.not_found",
        "title": "No such medium",
        "status": 404,
        "code": "media.not_found",
    }
    assert told["description"].startswith("It was deleted")
    assert answers["default"] == {"$ref": "#/components/responses/Problem"}


def test_problems_without_a_place_are_about_blank() -> None:
    """As the documents themselves are, where an application says no base."""
    made = described(LIST, problems=[*OWN, *described_types("cursor.invalid")])
    assert made["components"]["examples"]["cursor.invalid"]["value"]["type"] == "about:blank"


def test_general_problems_are_told_even_where_the_registry_has_none() -> None:
    """By the phrase of their status."""
    made = openapi.document([replace(CHANGE, problems=[], examples=[])], title="T", version="1.0.0", security=SECURITY)
    assert made["components"]["examples"]["http.404"]["summary"] == "Not Found"
    assert made["components"]["examples"]["http.404"]["value"]["status"] == 404


def test_who_may_call_is_told(document: dict[str, Any]) -> None:
    """Public: nobody needs to say who it is. Else by any of the schemes; the permission stands beside."""
    assert document["paths"]["/health/{node}"]["get"]["security"] == []
    assert document["paths"]["/media"]["get"]["security"] == [{"session": []}, {"token": []}]
    assert document["paths"]["/media"]["get"]["x-access"] == "media:read:own"
    public, signed_in = (document["paths"][path][method]["responses"] for path, method in PLACES)
    assert not {"401", "403"} & set(public)
    assert "401" in signed_in
    assert "403" not in signed_in
    assert set(document["components"]["securitySchemes"]) == {"session", "token"}


PLACES = (("/health/{node}", "get"), ("/media/{id}", "delete"))


def test_an_operation_that_says_nothing_of_access_is_not_told_to_be_public() -> None:
    """It fails closed: every scheme counts."""
    made = described(replace(SHOW, access=""))
    assert made["paths"]["/things"]["get"]["security"] == [{"session": []}, {"token": []}]


@pytest.mark.parametrize(
    ("operations", "words"),
    [
        ([SHOW, replace(SHOW, path="/others")], "two operations have this name"),
        ([SHOW, replace(SHOW, name="again")], "show is GET /things already"),
        ([CHANGE, replace(CHANGE, name="again", path="/media/{key}", values={"key": int})], "is PATCH /media"),
        ([DELETE, replace(CHANGE, path="/media/{key}", values={"key": int})], "name the values alike"),
        ([replace(CHANGE, values={"key": int})], "do not agree"),
        ([replace(CHANGE, path="/media")], "do not agree"),
        ([replace(SHOW, path="things")], "do not agree"),
        ([replace(CHANGE, path="/media/{id}/{id}")], "do not agree"),
        ([replace(SHOW, problems=["media.not_fond"])], r"no problem is called media.not_fond \(near: media.not_found"),
        ([replace(SHOW, answers={200: list[Medium]})], "the answer 200 is no model"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(operations: list[Operation], words: str) -> None:
    """When the document is made, with the operation's name."""
    with pytest.raises(ConfigurationError, match=words) as refused:
        described(*operations)
    assert any(str(refused.value).startswith(f"{one.name}:") for one in operations)


def test_a_group_without_operations_is_refused() -> None:
    """Its name is misspelt."""
    with pytest.raises(ConfigurationError, match="no operation is in medai"):
        described(*OPERATIONS, groups={"medai": "Posters."})


def test_texts_lose_the_indentation_of_where_they_were_written() -> None:
    """A docstring is told as it is meant."""
    made = described(replace(SHOW, description="\n    First.\n\n    Second.\n    "), description="One.\n    Two.\n    ")
    assert made["paths"]["/things"]["get"]["description"] == "First.\n\nSecond."
    assert made["info"]["description"] == "One.\nTwo."


def test_the_answers_of_one_operation_may_differ() -> None:
    """Each status has its own model."""
    made = described(
        replace(SHOW, answers={200: Data[Medium], 202: Page[Medium], 204: None, 206: Files(["image/png"])})
    )
    answers = made["paths"]["/things"]["get"]["responses"]
    assert list(answers) == ["200", "202", "204", "206", "422", "default"]
    assert OpenAPIV31SpecValidator(made).is_valid()


def responses(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All that are written out."""
    for item in document["paths"].values():
        for operation in item.values():
            yield from (one for one in operation["responses"].values() if "$ref" not in one)


def refusals(answers: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Those with a problem."""
    return ((status, one) for status, one in answers.items() if status >= "4" and status != "default")


def described_types(*codes: str) -> list[Any]:
    """The package's types of these codes."""
    return [PROBLEMS[code] for code in codes]
