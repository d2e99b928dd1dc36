"""What is the same however it is written, and what structure cannot decide."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from postrmagic_core.api.compare import NotASpecification, compare
from tests.api.compare.specifications import Json, answered, closed, fields, parameter, sent, specification, taking

TEXT, WHOLE, NULL = {"type": "string"}, {"type": "integer"}, {"type": "null"}


def to(name: str) -> Json:
    """A reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def found(old: Json, new: Json) -> list[str]:
    """The changes as "code at place", without the operation."""
    return [f"{one.code} at {one.place.removeprefix('POST /things ')}" for one in compare(old, new)]


CAT = fields(["kind"], kind={"const": "cat"}, claws=WHOLE)
DOG = fields(["kind"], kind={"const": "dog"}, tricks=WHOLE)

EQUAL: list[tuple[str, Any, Any]] = [
    ("a union with null and a list of types", {"anyOf": [TEXT, NULL]}, {"type": ["null", "string"]}),
    ("a constant and a list of one value", {"const": "a"}, {"type": "string", "enum": ["a"]}),
    ("the order of values", {"enum": ["a", "b"]}, {"enum": ["b", "a"]}),
    ("the order of alternatives", {"anyOf": [WHOLE, TEXT]}, {"anyOf": [TEXT, WHOLE]}),
    ("a union in a union", {"anyOf": [WHOLE, {"anyOf": [TEXT, NULL]}]}, {"anyOf": [WHOLE, TEXT, NULL]}),
    ("anyOf and oneOf of what is never both", {"anyOf": [CAT, DOG]}, {"oneOf": [DOG, CAT]}),
    ("a bound of whole numbers", WHOLE | {"minimum": 4}, WHOLE | {"exclusiveMinimum": 3}),
    ("bounds that bind nobody", TEXT, TEXT | {"minLength": 0}),
    ("keywords of other types", TEXT, TEXT | {"maximum": 3, "uniqueItems": True}),
    ("any other field", fields(), fields() | {"additionalProperties": True}),
    ("allOf of one", {"allOf": [TEXT]}, TEXT),
    ("fields in parts", {"allOf": [fields(["a"], a=TEXT), fields(b=WHOLE)]}, fields(["a"], a=TEXT, b=WHOLE)),
    (
        "bounds in parts",
        {"allOf": [WHOLE | {"minimum": 1}, {"minimum": 3, "maximum": 9}]},
        WHOLE | {"minimum": 3, "maximum": 9},
    ),
    ("what is written for people", TEXT, TEXT | {"title": "A", "description": "b", "examples": ["c"], "x-own": 1}),
]


@pytest.mark.parametrize(("what", "one", "other"), EQUAL, ids=[each[0] for each in EQUAL])
def test_what_is_the_same_is_no_change(what: str, one: Any, other: Any) -> None:
    """Whichever way it is written, wherever it stands."""
    for build in (sent, answered):
        assert compare(build(fields(a=one)), build(fields(a=other))) == []
        assert compare(build({"type": "array", "items": other}), build({"type": "array", "items": one})) == []


def test_a_reference_is_what_it_leads_to() -> None:
    """A schema that got a name, or lost it, is the same one; what is said beside a reference counts."""
    inline, named = answered(fields(a=TEXT)), answered(to("Thing"), Thing=fields(a=TEXT))
    assert compare(inline, named) == compare(named, inline) == []
    chained = answered(to("Thing"), Thing=to("Other"), Other=fields(a=TEXT))
    assert compare(named, chained) == []
    beside = answered(fields(a=to("Name") | {"maxLength": 5, "description": "short"}), Name=TEXT)
    assert found(answered(fields(a=to("Name")), Name=TEXT), beside) == ["response.max_length_tightened at 200 a"]
    default = sent(fields(a=to("Size") | {"default": 2}), Size=WHOLE | {"default": 1})
    assert found(sent(fields(a=to("Size")), Size=WHOLE | {"default": 1}), default) == [
        "request.default_changed at request a"
    ]


def test_parameters_bodies_answers_and_headers_may_be_references() -> None:
    """They are read where they lead, on either side."""
    shared = {
        "parameters": {"Limit": parameter(WHOLE)},
        "requestBodies": {"Thing": {"content": {"application/json": {"schema": TEXT}}}},
        "responses": {"Made": {"headers": {"ETag": {"$ref": "#/components/headers/ETag"}}}},
        "headers": {"ETag": {"schema": TEXT}},
    }
    operation = {
        "parameters": [{"$ref": "#/components/parameters/Limit"}],
        "requestBody": {"$ref": "#/components/requestBodies/Thing"},
        "responses": {"200": {"$ref": "#/components/responses/Made"}},
    }
    other = copy.deepcopy(shared)
    for schema in (other["parameters"]["Limit"], other["headers"]["ETag"]):
        schema["schema"] = {"type": "boolean"}
    other["requestBodies"]["Thing"]["content"]["application/json"]["schema"] = WHOLE
    assert found(specification(operation, components=shared), specification(operation, components=other)) == [
        "response.type_changed at 200 header etag",
        "request.type_changed at query limit",
        "request.type_changed at request",
    ]


def test_parameters_of_a_path_hold_for_its_operations() -> None:
    """Unless the operation has its own; header names have no case."""
    old = specification({}, "/things")
    old["paths"]["/things"]["parameters"] = [parameter(WHOLE), parameter(TEXT, "X-Own", "header")]
    new = taking(parameter(WHOLE), parameter(TEXT, "x-own", "header"))
    assert compare(old, new) == []
    old["paths"]["/things"]["post"]["parameters"] = [parameter(TEXT)]
    assert found(old, new) == ["request.type_changed at query limit"]


def tree(**more: Any) -> Json:
    """A schema that holds itself."""
    return fields(name=TEXT, children={"type": "array", "items": to("Tree")}, **more)


def test_schemas_that_hold_themselves_end() -> None:
    """Equal ones are equal; a difference is told once, at the nearest place."""
    assert (
        compare(
            answered(to("Tree"), Tree=tree()),
            answered(to("Node"), Node=json.loads(json.dumps(tree()).replace("Tree", "Node"))),
        )[0].code
        == "schema.renamed"
    )
    old, new = answered(to("Tree"), Tree=tree(size=WHOLE)), answered(to("Tree"), Tree=tree())
    assert found(old, new) == ["response.field_removed at 200 size"]
    far = answered(fields(first=fields(second=to("Tree"))), Tree=tree(size=WHOLE))
    assert found(far, answered(fields(first=fields(second=to("Tree"))), Tree=tree())) == [
        "response.field_removed at 200 first.second.size"
    ]


def test_cycles_of_different_lengths_end() -> None:
    """One step round in the old document, and two or three in the new one."""
    one = answered(fields(a=to("A")), A=fields(a=to("A")))
    two = answered(to("A"), A=fields(a=to("B")), B=fields(a=to("A")))
    three = answered(to("A"), A=fields(a=fields(a=to("C"))), C=fields(a=to("A"), b=WHOLE))
    assert compare(one, two) == []
    assert found(one, three) == ["response.field_added at 200 a.a.b"]
    assert "response.field_removed at 200 a.a.b" in found(three, two)
    assert {one.code for one in compare(three, two) if one.kind == "breaking"} == {"response.field_removed"}


def test_joined_cycles_end() -> None:
    """Parts that hold the whole they are part of."""

    def part(limit: int) -> Json:
        own = fields(next=to("Part"), size=WHOLE | {"maximum": limit})
        return sent(to("Part"), Part={"allOf": [to("Base"), own]}, Base=fields(next=to("Part"), id=WHOLE))

    assert compare(part(3), copy.deepcopy(part(3))) == []
    assert "request.maximum_tightened at request size" in found(part(3), part(2))
    assert all(one.code == "request.maximum_tightened" for one in compare(part(3), part(2)))


def test_alternatives_find_their_counterparts() -> None:
    """By name, by the constant that tells them apart, or by a type that no other has."""
    old = answered({"oneOf": [CAT, DOG]})
    new = answered({"oneOf": [DOG, fields(["kind"], kind={"const": "cat"})]})
    assert found(old, new) == ["response.field_removed at 200 claws"]
    named = answered({"anyOf": [to("A"), to("B")]}, A=fields(a=TEXT), B=fields(b=TEXT))
    other = answered({"anyOf": [to("A"), to("B")]}, A=fields(a=TEXT), B=fields(b=TEXT, c=TEXT))
    assert found(named, other) == ["response.field_added at 200 c"]
    assert found(sent({"anyOf": [TEXT, CAT]}), sent({"anyOf": [CAT, TEXT | {"maxLength": 3}]})) == [
        "request.max_length_tightened at request"
    ]


def test_alternatives_that_come_and_go() -> None:
    """One more is no harm to who sends, and one to who reads."""
    old, new = {"oneOf": [CAT, DOG]}, {"oneOf": [CAT, DOG, fields(["kind"], kind={"const": "cow"})]}
    assert [(one.kind, one.code) for one in compare(sent(old), sent(new))] == [("additive", "request.type_widened")]
    assert [(one.kind, one.code) for one in compare(answered(old), answered(new))] == [
        ("breaking", "response.type_widened")
    ]
    assert [one.kind for one in compare(sent(new), sent(old))] == ["breaking"]


def test_a_discriminator_tells_alternatives_apart() -> None:
    """By the names that lead to them; schemas that change names under it are another wire."""

    def animals(one: str, other: str) -> Json:
        mapping = {"cat": f"#/components/schemas/{one}", "dog": f"#/components/schemas/{other}"}
        union = {"oneOf": [to("A"), to("B")], "discriminator": {"propertyName": "kind", "mapping": mapping}}
        return answered(union, A=fields(kind=TEXT, a=TEXT), B=fields(kind=TEXT, b=TEXT))

    assert [one.kind for one in compare(animals("A", "B"), animals("B", "A"))].count("breaking") > 0
    renamed = json.loads(json.dumps(animals("A", "B")).replace('"A"', '"C"').replace("schemas/A", "schemas/C"))
    assert [one.code for one in compare(animals("A", "B"), renamed)] == ["schema.renamed"]


UNDECIDED: list[tuple[Any, Any]] = [
    ({"oneOf": [fields(a=TEXT), fields(b=TEXT)]}, {"oneOf": [fields(a=TEXT), fields(b=WHOLE)]}),
    ({"oneOf": [WHOLE, {"type": "number"}]}, {"oneOf": [WHOLE]}),
    ({"if": TEXT, "then": {"maxLength": 3}}, {"if": TEXT, "then": {"maxLength": 4}}),
    ({"type": "object", "patternProperties": {"^a": TEXT}}, {"type": "object", "patternProperties": {"^b": TEXT}}),
    ({"type": "object", "dependentRequired": {"a": ["b"]}}, {"type": "object"}),
    ({"type": "array", "contains": WHOLE}, {"type": "array", "contains": TEXT}),
    ({"allOf": [TEXT | {"pattern": "a"}, TEXT | {"pattern": "b"}]}, {"allOf": [TEXT | {"pattern": "a"}]}),
    ({"allOf": [closed(a=TEXT), fields(b=TEXT)]}, {"allOf": [closed(a=TEXT), fields(c=TEXT)]}),
    ({"anyOf": [WHOLE | {"minimum": n} for n in range(70)]}, {"anyOf": [WHOLE | {"minimum": n} for n in range(71)]}),
    (TEXT | {"nextKeyword": 1}, TEXT | {"nextKeyword": 2}),
    (TEXT | {"readOnly": True}, TEXT),
]


@pytest.mark.parametrize(("one", "other"), UNDECIDED)
@pytest.mark.parametrize("build", [sent, answered])
def test_what_structure_cannot_decide_breaks(build: Callable[[Any], Json], one: Any, other: Any) -> None:
    """Both ways, and nothing of it passes silently; the same on both sides is no change."""
    assert "undecided" in [change.code for change in compare(build(fields(a=one)), build(fields(a=other)))]
    assert "undecided" in [change.code for change in compare(build(fields(a=other)), build(fields(a=one)))]
    assert found(build(fields(a=one)), build(fields(a=copy.deepcopy(one), b=TEXT)))[0].endswith(
        "field_added at request b" if build is sent else "field_added at 200 b"
    )


def test_undecided_parts_are_compared_through_their_references() -> None:
    """What a keyword refers to may differ where the keyword does not."""
    old, new = ({"not": to("Bad")} for _ in range(2))
    assert found(sent(fields(a=old), Bad=TEXT), sent(fields(a=new), Bad=WHOLE)) == ["undecided at request a"]
    body = {"content": {"multipart/form-data": {"schema": TEXT, "encoding": {"a": {"$ref": "#/components/headers/H"}}}}}
    assert found(
        specification({"requestBody": body}, components={"headers": {"H": {"schema": TEXT}}}),
        specification({"requestBody": body}, components={"headers": {"H": {"schema": WHOLE}}}),
    ) == ["undecided at request multipart/form-data"]


def test_tuples_are_compared_by_position() -> None:
    """What stands behind the listed ones is an item like any other."""
    pair = {"type": "array", "prefixItems": [TEXT, WHOLE], "items": False}
    assert found(answered(pair), answered(pair | {"prefixItems": [TEXT, TEXT]})) == ["response.type_changed at 200 [1]"]
    assert found(answered(pair), answered(pair | {"items": TEXT})) == ["response.type_widened at 200 []"]
    assert found(sent({"type": "array"}), sent({"type": "array", "items": TEXT})) == [
        "request.type_narrowed at request []"
    ]


def test_maps_are_compared_by_what_they_hold() -> None:
    """Whatever their fields are called; a field that is forbidden is gone."""
    old, new = ({"type": "object", "additionalProperties": each} for each in (TEXT, WHOLE))
    assert found(answered(fields(a=old)), answered(fields(a=new))) == ["response.type_changed at 200 a.*"]
    assert found(sent(old), sent(old | {"properties": {"b": WHOLE}})) == [
        "request.type_changed at request b",
        "request.field_added at request b",
    ]
    assert found(sent(fields(a=TEXT)), sent(fields(a=False))) == ["request.field_removed at request a"]
    assert found(sent(fields()), sent(fields(a=False))) == ["request.field_removed at request a"]
    assert found(answered(fields(a=TEXT)), answered(fields(a=False))) == ["response.field_removed at 200 a"]


def test_names_with_signs_are_quoted_in_places() -> None:
    """A place stays one line, and a field that is called a.b is not the field b of a."""
    named: Json = {"a.b": TEXT, "c\n": TEXT, "": TEXT}
    new = fields(None, **named)
    assert found(answered(fields()), answered(new)) == [
        "response.field_added at 200 ''",
        "response.field_added at 200 'a.b'",
        "response.field_added at 200 'c\\n'",
    ]


WRONG: list[tuple[Any, str]] = [
    ([], "an object"),
    ({}, "3.1"),
    ({"openapi": "3.0.3"}, "3.1"),
    ({"openapi": "3.1.0", "paths": []}, "paths"),
    ({"openapi": "3.1.0", "paths": {"/things": {"post": 1}}}, "POST /things"),
    (specification({"parameters": {}}), "an array"),
    (specification({"security": [1]}), "security"),
    (sent(to("Missing")), "which is not in it"),
    (sent({"$ref": "other.json#/a"}), "bundled"),
    (sent({"$ref": 1}), "$ref"),
    (sent(to("A"), A=to("B"), B=to("A")), "$ref"),
    (specification({"parameters": [{"$ref": "#/paths/~1things/post/parameters/0"}]}), "$ref"),
    (sent(1), "a schema"),
    (sent({"type": 1}), "type"),
    (sent({"type": "text"}), "type"),
    (sent(WHOLE | {"minimum": True}), "minimum"),
    (sent({"type": "object", "required": "a"}), "required"),
    (sent({"anyOf": {}}), "anyOf"),
]


@pytest.mark.parametrize(("raw", "complaint"), WRONG)
def test_what_is_no_specification_is_refused(raw: Any, complaint: str) -> None:
    """On either side, with the place and what was expected there."""
    good = sent(fields(a=TEXT))
    for old, new in ((raw, good), (good, raw)):
        with pytest.raises(NotASpecification, match="document") as caught:
            compare(old, new)
        assert complaint in str(caught.value)
