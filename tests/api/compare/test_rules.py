"""Each rule, both ways: what is found from the one document to the other, and back."""

from __future__ import annotations

from typing import Any

import pytest

from postrmagic_core.api.compare import RULES, compare
from tests.api.compare.specifications import (
    Json,
    answered,
    answering,
    closed,
    content,
    fields,
    parameter,
    sent,
    specification,
    taking,
)

TEXT, WHOLE, NUMBER, NULL = {"type": "string"}, {"type": "integer"}, {"type": "number"}, {"type": "null"}
PROBLEM = "application/problem+json"


def told(**schemes: Any) -> Json:
    """A document with ways to authenticate."""
    return specification({}, components={"securitySchemes": schemes})


def asking(*ways: Json) -> Json:
    """A document whose operation asks for credentials."""
    return specification({"security": list(ways)})


def sunset(day: str | None) -> Json:
    """A document whose operation ends some day."""
    return specification({} if day is None else {"x-sunset": day})


def paths(*templates: str, methods: tuple[str, ...] = ("get",)) -> Json:
    """A document with paths, each with methods that have no operationId."""
    described: Json = {"responses": {}}
    return specification({}) | {"paths": {each: dict.fromkeys(methods, described) for each in templates}}


# What is compared, then what is found from the first to the second and from the second to the first, as
# "code at place"; the operation in front of the place is left out where it is POST /things.
SHAPES: list[tuple[str, Json, Json, list[str], list[str]]] = [
    ("a path", paths("/a", "/b"), paths("/a"), ["path.removed at /b"], ["path.added at /b"]),
    (
        "a method",
        paths("/a", methods=("get", "put")),
        paths("/a"),
        ["operation.removed at PUT /a"],
        ["operation.added at PUT /a"],
    ),
    (
        "the name of a path's value",
        specification({"parameters": [parameter(TEXT, "id", "path", required=True)]}, "/things/{id}"),
        specification({"parameters": [parameter(TEXT, "key", "path", required=True)]}, "/things/{key}"),
        ["path.renamed at /things/{id}"],
        ["path.renamed at /things/{key}"],
    ),
    (
        "an operationId",
        specification({"operationId": "one"}),
        specification({"operationId": "two"}),
        ["operation.renamed at"],
        ["operation.renamed at"],
    ),
    (
        "the first operationId",
        specification({"operationId": None}),
        specification({"operationId": "two"}),
        ["operation.named at"],
        ["operation.renamed at"],
    ),
    (
        "a deprecated operation",
        specification({}),
        specification({"deprecated": True}),
        ["operation.deprecated at"],
        ["operation.deprecation_removed at"],
    ),
    (
        "an end that is moved",
        sunset("2027-06-01"),
        sunset("2027-01-01"),
        ["operation.sunset_changed at"],
        ["operation.sunset_moved at"],
    ),
    ("a new end", sunset(None), sunset("2027-01-01"), ["operation.sunset_moved at"], ["operation.sunset_moved at"]),
    (
        "a parameter",
        taking(parameter()),
        taking(),
        ["parameter.removed at query limit"],
        ["parameter.added at query limit"],
    ),
    (
        "a required parameter",
        taking(),
        taking(parameter(required=True)),
        ["parameter.required_added at query limit"],
        ["parameter.removed at query limit"],
    ),
    (
        "whether a parameter is required",
        taking(parameter()),
        taking(parameter(required=True)),
        ["parameter.required at query limit"],
        ["parameter.optional at query limit"],
    ),
    (
        "how a parameter is written",
        taking(parameter(style="form", explode=True)),
        taking(parameter(style="form", explode=False)),
        ["parameter.encoding_changed at query limit"],
        ["parameter.encoding_changed at query limit"],
    ),
    (
        "a deprecated parameter",
        taking(parameter()),
        taking(parameter(deprecated=True)),
        ["parameter.deprecated at query limit"],
        ["parameter.deprecation_removed at query limit"],
    ),
    (
        "a parameter's bound",
        taking(parameter(WHOLE | {"maximum": 100})),
        taking(parameter(WHOLE | {"maximum": 50})),
        ["request.maximum_tightened at query limit"],
        ["request.maximum_loosened at query limit"],
    ),
    (
        "a body that may be left out",
        specification({}),
        specification({"requestBody": {"content": content(TEXT)}}),
        ["request.added at request"],
        ["request.removed at request"],
    ),
    (
        "a body that must be sent",
        specification({}),
        sent(TEXT),
        ["request.required_added at request"],
        ["request.removed at request"],
    ),
    (
        "whether a body must be sent",
        specification({"requestBody": {"content": content(TEXT)}}),
        sent(TEXT),
        ["request.required at request"],
        ["request.optional at request"],
    ),
    (
        "a type of body",
        specification({"requestBody": {"content": content(TEXT) | content(TEXT, "text/plain")}}),
        specification({"requestBody": {"content": content(TEXT)}}),
        ["request.media_type_removed at request text/plain"],
        ["request.media_type_added at request text/plain"],
    ),
    (
        "a field that may be sent",
        sent(closed(a=TEXT)),
        sent(closed()),
        ["request.field_removed at request a"],
        ["request.field_added at request a"],
    ),
    (
        "a field that must be sent",
        sent(closed()),
        sent(closed(["a"], a=TEXT)),
        ["request.required_field_added at request a"],
        ["request.field_removed at request a"],
    ),
    (
        "whether a field must be sent",
        sent(closed(a=TEXT)),
        sent(closed(["a"], a=TEXT)),
        ["request.field_required at request a"],
        ["request.field_optional at request a"],
    ),
    (
        "other fields in a body",
        sent(fields()),
        sent(closed()),
        ["request.closed at request"],
        ["request.opened at request"],
    ),
    (
        "another default",
        sent(fields(a=WHOLE | {"default": 1})),
        sent(fields(a=WHOLE | {"default": 2})),
        ["request.default_changed at request a"],
        ["request.default_changed at request a"],
    ),
    (
        "a default where null was one",
        sent(fields(a=WHOLE | {"default": None})),
        sent(fields(a=WHOLE | {"default": 2})),
        ["request.default_changed at request a"],
        ["request.default_changed at request a"],
    ),
    (
        "a first default",
        sent(fields(a=WHOLE)),
        sent(fields(a=WHOLE | {"default": 2})),
        ["request.default_moved at request a"],
        ["request.default_moved at request a"],
    ),
    (
        "a deprecated field of a body",
        sent(fields(a=WHOLE)),
        sent(fields(a=WHOLE | {"deprecated": True})),
        ["request.deprecated at request a"],
        ["request.deprecation_removed at request a"],
    ),
    (
        "the success that is answered",
        answering("200"),
        answering("201"),
        ["response.status_removed at 200", "response.status_added at 201"],
        ["response.status_removed at 201", "response.status_added at 200"],
    ),
    (
        "an answer that is asked for",
        specification({"responses": {"200": {}}}),
        specification({"responses": {"200": {}, "304": {}}}),
        ["response.conditional_added at 304"],
        ["response.status_removed at 304"],
    ),
    (
        "an answer of failure",
        specification({"responses": {"200": {}, "404": {}}}),
        specification({"responses": {"200": {}}}),
        ["response.error_removed at 404"],
        ["response.error_added at 404"],
    ),
    (
        "a type of answer",
        answering(content=content(TEXT) | content(TEXT, "text/plain")),
        answering(content=content(TEXT)),
        ["response.media_type_removed at 200 text/plain"],
        ["response.media_type_added at 200 text/plain"],
    ),
    (
        "a header",
        answering(headers={"ETag": {"schema": TEXT}}),
        answering(headers={}),
        ["response.header_removed at 200 header etag"],
        ["response.header_added at 200 header etag"],
    ),
    (
        "whether a header is always sent",
        answering(headers={"ETag": {"schema": TEXT, "required": True}}),
        answering(headers={"etag": {"schema": TEXT}}),
        ["response.header_optional at 200 header etag"],
        ["response.header_required at 200 header etag"],
    ),
    (
        "what a header says",
        answering(headers={"ETag": {"schema": TEXT}}),
        answering(headers={"ETag": {"schema": WHOLE}}),
        ["response.type_changed at 200 header etag"],
        ["response.type_changed at 200 header etag"],
    ),
    (
        "a field of an answer",
        answered(fields(data=fields(a=TEXT))),
        answered(fields(data=fields())),
        ["response.field_removed at 200 data.a"],
        ["response.field_added at 200 data.a"],
    ),
    (
        "a field where there were no others",
        answered(closed(a=TEXT)),
        answered(closed(a=TEXT, b=TEXT)),
        ["response.unexpected_field_added at 200 b"],
        ["response.field_removed at 200 b"],
    ),
    (
        "whether a field is always answered",
        answered(fields(["a"], a=TEXT)),
        answered(fields(a=TEXT)),
        ["response.field_optional at 200 a"],
        ["response.field_required at 200 a"],
    ),
    (
        "other fields in an answer",
        answered(fields()),
        answered(closed()),
        ["response.closed at 200"],
        ["response.opened at 200"],
    ),
    (
        "the default of an answer",
        answered(fields(a=WHOLE | {"default": 1})),
        answered(fields(a=WHOLE | {"default": 2})),
        ["response.default_changed at 200 a"],
        ["response.default_changed at 200 a"],
    ),
    (
        "the first default of an answer",
        answered(fields(a=WHOLE)),
        answered(fields(a=WHOLE | {"default": 2})),
        ["response.default_moved at 200 a"],
        ["response.default_moved at 200 a"],
    ),
    (
        "a deprecated field of an answer",
        answered(fields(a=WHOLE)),
        answered(fields(a=WHOLE | {"deprecated": True})),
        ["response.deprecated at 200 a"],
        ["response.deprecation_removed at 200 a"],
    ),
    (
        "the code of a problem",
        answering("404", content=content(fields(), PROBLEM, examples={"media.not_found": {}, "user.not_found": {}})),
        answering("404", content=content(fields(), PROBLEM, examples={"user.not_found": {}})),
        ["problem.removed at 404 media.not_found"],
        ["problem.added at 404 media.not_found"],
    ),
    (
        "credentials where none were asked for",
        asking(),
        asking({"bearer": []}),
        ["security.tightened at security no credentials"],
        ["security.loosened at security no credentials"],
    ),
    (
        "a second way to authenticate",
        asking({"bearer": []}),
        asking({"bearer": []}, {"cookie": []}),
        ["security.loosened at security cookie"],
        ["security.tightened at security cookie"],
    ),
    (
        "a scope",
        asking({"bearer": ["read"]}),
        asking({"bearer": ["read", "write"]}),
        ["security.tightened at security bearer (read)"],
        ["security.loosened at security bearer (read)"],
    ),
    (
        "who may call",
        specification({"x-access": "signed-in"}),
        specification({"x-access": "media:read"}),
        ["security.tightened at access media:read"],
        ["security.loosened at access signed-in"],
    ),
    (
        "another permission",
        specification({"x-access": "media:edit"}),
        specification({"x-access": "media:read"}),
        ["security.tightened at access media:read"],
        ["security.tightened at access media:edit"],
    ),
    (
        "a scheme",
        told(bearer={"type": "http"}),
        told(),
        ["security.scheme_removed at security bearer"],
        ["security.scheme_added at security bearer"],
    ),
    (
        "how a scheme works",
        told(bearer={"type": "http", "scheme": "bearer"}),
        told(bearer={"type": "http", "scheme": "basic"}),
        ["security.scheme_changed at security bearer"],
        ["security.scheme_changed at security bearer"],
    ),
    (
        "a server",
        specification({}, servers=[{"url": "/one"}, {"url": "/two"}]),
        specification({}, servers=[{"url": "/one"}]),
        ["server.removed at server /two"],
        ["server.added at server /two"],
    ),
    (
        "what a schema is called",
        answered({"$ref": "#/components/schemas/Thing"}, Thing=fields(a=TEXT)),
        answered({"$ref": "#/components/schemas/Item"}, Item=fields(a=TEXT)),
        ["schema.renamed at schema Thing"],
        ["schema.renamed at schema Item"],
    ),
    (
        "the version",
        specification({}),
        specification({}, info={"title": "Things", "version": "2"}),
        ["info.version_changed at info.version"],
        ["info.version_changed at info.version"],
    ),
    (
        "what nobody can judge",
        sent(fields(a={"not": TEXT})),
        sent(fields(a={"not": WHOLE})),
        ["undecided at request a"],
        ["undecided at request a"],
    ),
    (
        "calls back",
        specification({"callbacks": {"done": {}}}),
        specification({}),
        ["undecided at callbacks"],
        ["undecided at callbacks"],
    ),
]

# The same schemas are compared as what is sent and as what is answered: what narrows the one widens the other.
# Then the code from the first to the second, and back.
VALUES: list[tuple[Any, Any, str, str]] = [
    (WHOLE, TEXT, "type_changed", "type_changed"),
    ({"type": ["string", "integer"]}, TEXT, "type_narrowed", "type_widened"),
    ({"anyOf": [TEXT, WHOLE]}, TEXT, "type_narrowed", "type_widened"),
    ({"oneOf": [TEXT, WHOLE]}, TEXT, "type_narrowed", "type_widened"),
    (NUMBER, WHOLE, "type_narrowed", "type_widened"),
    ({}, TEXT, "type_narrowed", "type_widened"),
    ({"anyOf": [TEXT, NULL]}, TEXT, "null_removed", "null_added"),
    ({"type": ["string", "null"]}, TEXT, "null_removed", "null_added"),
    ({"enum": ["a", None]}, {"enum": ["a"]}, "null_removed", "null_added"),
    ({"type": "string", "enum": ["a", "b"]}, {"type": "string", "enum": ["a"]}, "value_removed", "value_added"),
    ({"enum": ["a", "b"]}, {"const": "a"}, "value_removed", "value_added"),
    (TEXT, TEXT | {"enum": ["a"]}, "values_limited", "values_freed"),
    (WHOLE, WHOLE | {"minimum": 1}, "minimum_tightened", "minimum_loosened"),
    (NUMBER | {"minimum": 1}, NUMBER | {"exclusiveMinimum": 1}, "minimum_tightened", "minimum_loosened"),
    (WHOLE | {"maximum": 9}, WHOLE | {"exclusiveMaximum": 9}, "maximum_tightened", "maximum_loosened"),
    (TEXT | {"minLength": 1}, TEXT | {"minLength": 2}, "min_length_tightened", "min_length_loosened"),
    (TEXT | {"maxLength": 9}, TEXT | {"maxLength": 5}, "max_length_tightened", "max_length_loosened"),
    ({"type": "array"}, {"type": "array", "minItems": 1}, "min_items_tightened", "min_items_loosened"),
    ({"type": "array"}, {"type": "array", "maxItems": 1}, "max_items_tightened", "max_items_loosened"),
    (fields(), fields() | {"minProperties": 1}, "min_properties_tightened", "min_properties_loosened"),
    (fields(), fields() | {"maxProperties": 1}, "max_properties_tightened", "max_properties_loosened"),
    (TEXT, TEXT | {"pattern": "^a"}, "pattern_tightened", "pattern_loosened"),
    (TEXT | {"pattern": "^b"}, TEXT | {"pattern": "^a"}, "pattern_changed", "pattern_changed"),
    (TEXT, TEXT | {"format": "date"}, "format_tightened", "format_loosened"),
    (TEXT | {"format": "date"}, TEXT | {"format": "date-time"}, "format_changed", "format_changed"),
    (WHOLE, WHOLE | {"multipleOf": 2}, "multiple_of_tightened", "multiple_of_loosened"),
    (WHOLE | {"multipleOf": 2}, WHOLE | {"multipleOf": 4}, "multiple_of_tightened", "multiple_of_loosened"),
    (WHOLE | {"multipleOf": 2}, WHOLE | {"multipleOf": 3}, "multiple_of_changed", "multiple_of_changed"),
    ({"type": "array"}, {"type": "array", "uniqueItems": True}, "unique_items_tightened", "unique_items_loosened"),
    (TEXT, TEXT | {"contentMediaType": "a/b"}, "content_media_type_tightened", "content_media_type_loosened"),
    (
        TEXT | {"contentMediaType": "a/c"},
        TEXT | {"contentMediaType": "a/b"},
        "content_media_type_changed",
        "content_media_type_changed",
    ),
    (TEXT, TEXT | {"contentEncoding": "base64"}, "content_encoding_tightened", "content_encoding_loosened"),
    (
        TEXT | {"contentEncoding": "base32"},
        TEXT | {"contentEncoding": "base64"},
        "content_encoding_changed",
        "content_encoding_changed",
    ),
]


def found(old: Json, new: Json) -> list[str]:
    """The changes, as "code at place", without the one operation that there mostly is."""
    return [f"{one.code} at {one.place.removeprefix('POST /things').strip()}".strip() for one in compare(old, new)]


@pytest.mark.parametrize(("what", "one", "other", "forth", "back"), SHAPES, ids=[shape[0] for shape in SHAPES])
def test_a_change_of_shape_is_found(what: str, one: Json, other: Json, forth: list[str], back: list[str]) -> None:
    """Under its code and at its place, and nothing else is."""
    assert sorted(found(one, other)) == sorted(forth)
    assert sorted(found(other, one)) == sorted(back)


@pytest.mark.parametrize(("wide", "narrow", "forth", "back"), VALUES)
def test_a_change_of_values_is_found(wide: Any, narrow: Any, forth: str, back: str) -> None:
    """What is sent must stay possible, and what is answered expected: one breaks where the other does not."""
    for place, build in (("request", sent), ("response", answered)):
        for old, new, code in ((wide, narrow, forth), (narrow, wide, back)):
            (change,) = compare(build(fields(a=old)), build(fields(a=new)))
            assert change.code == f"{place}.{code}"
            assert change.place.startswith(f"POST /things {'request' if place == 'request' else '200'} a")
            breaks = {
                "request": ("removed", "limited", "narrowed", "tightened"),
                "response": ("added", "freed", "widened", "loosened"),
            }
            kind = "breaking" if code.endswith((*breaks[place], "changed")) else "additive"
            assert change.kind == kind


def test_every_rule_is_shown() -> None:
    """No code is in the table that no case above gives, and none is given that the table does not have."""
    shown = {one.partition(" at")[0] for _, _, _, forth, back in SHAPES for one in (*forth, *back)}
    shown |= {f"{side}.{code}" for _, _, *codes in VALUES for code in codes for side in ("request", "response")}
    assert shown == RULES.keys()


def test_each_value_that_went_is_named() -> None:
    """By its place: a review of one value is no review of the next."""
    old = sent(fields(kind={"enum": ["a", "b", "c\n"]}))
    new = sent(fields(kind={"enum": ["a"]}))
    assert [one.place for one in compare(old, new)] == [
        'POST /things request kind "b"',
        'POST /things request kind "c\\\\n"',
    ]


def test_changes_are_sorted() -> None:
    """Breaking ones first, then by place; each time the same."""
    old = answered(fields(["a"], a=TEXT, c=TEXT)) | {"servers": [{"url": "/"}]}
    new = answered(fields(b=TEXT, a=WHOLE)) | {"info": {"version": "2"}}
    assert [(one.kind, one.code, one.place) for one in compare(old, new)] == [
        ("breaking", "response.field_optional", "POST /things 200 a"),
        ("breaking", "response.type_changed", "POST /things 200 a"),
        ("breaking", "response.field_removed", "POST /things 200 c"),
        ("additive", "response.field_added", "POST /things 200 b"),
        ("neutral", "info.version_changed", "info.version"),
    ]
    assert compare(old, new)[0].words == "the field may be missing"
