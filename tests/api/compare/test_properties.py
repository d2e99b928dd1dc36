"""Any specification: the same one has no changes, additions break nobody, and what breaks is found wherever it is."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postrmagic_core.api.compare import RULES, NotASpecification, compare
from postrmagic_core.api.compare.documents import NOTES
from postrmagic_core.testing.growth import growth
from tests.api.compare.specifications import Json, answered, fields, parameter, sent, specification

EXAMPLES = settings(max_examples=20, deadline=None)
NAMES = st.sampled_from(["a", "b", "c", "title", "default", "$ref.x"])
COMPONENTS = ("One", "Two", "Three")

SIMPLE = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("string")},
        optional={"maxLength": st.integers(0, 9), "format": st.sampled_from(["date", "uri"])},
    ),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "number"])},
        optional={"minimum": st.integers(-3, 3), "exclusiveMaximum": st.floats(4, 9), "default": st.integers(0, 3)},
    ),
    st.fixed_dictionaries(
        {"enum": st.lists(st.sampled_from(["a", "b", 1, True, None, 2.5]), min_size=1, unique_by=str)}
    ),
    st.sampled_from([True, {}, {"type": ["string", "null"]}, {"type": "boolean", "deprecated": True}]),
    st.sampled_from(COMPONENTS).map(lambda name: {"$ref": f"#/components/schemas/{name}"}),
)


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """Schemas of objects, open and closed."""
    return st.fixed_dictionaries(
        {"type": st.just("object"), "properties": st.dictionaries(NAMES, inner, max_size=3)},
        optional={"required": st.lists(NAMES, unique=True, max_size=2), "additionalProperties": st.booleans()},
    )


SCHEMAS = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(
        objects(inner),
        st.fixed_dictionaries({"type": st.just("array"), "items": inner}),
        st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"oneOf": st.lists(inner, min_size=1, max_size=2)}),
        st.fixed_dictionaries({"allOf": st.lists(inner, min_size=1, max_size=2)}),
        st.fixed_dictionaries({"not": inner}),
    ),
    max_leaves=6,
)


@st.composite
def specifications(draw: st.DrawFn) -> Json:
    """A document with some operations; its schemas refer to each other as they like."""
    components = {
        name: draw(st.one_of(objects(SIMPLE), SCHEMAS.filter(lambda one: "$ref" not in str(one))))
        for name in COMPONENTS
    }
    paths: Json = {}
    for number in range(draw(st.integers(1, 2))):
        operation = {
            "operationId": f"do_{number}",
            "parameters": [parameter(draw(SIMPLE), required=draw(st.booleans()))],
            "requestBody": {"content": {"application/json": {"schema": draw(SCHEMAS)}}},
            "responses": {"200": {"content": {"application/json": {"schema": draw(SCHEMAS)}}}, "404": {}},
            "security": draw(st.sampled_from([[], [{"bearer": []}], [{"bearer": []}, {"cookie": ["read"]}]])),
        }
        paths[f"/things/{{id}}/{number}"] = {draw(st.sampled_from(["get", "post"])): operation}
    return specification({}, components={"schemas": components}) | {"paths": paths}


def operations(document: Json) -> list[Json]:
    """The operations that a document was drawn with."""
    return [each for item in document["paths"].values() for each in item.values() if "security" in each]


def reordered(value: Any) -> Any:
    """The same JSON with its names the other way round."""
    if isinstance(value, dict):
        return {name: reordered(value[name]) for name in reversed(value)}
    return [reordered(each) for each in value] if isinstance(value, list) else value


@EXAMPLES
@given(specifications())
def test_the_same_specification_has_no_changes(document: Json) -> None:
    """Whatever the order of its names, and whatever is told beside."""
    assert compare(document, copy.deepcopy(document)) == []
    other = reordered(document)
    other["info"]["description"] = "told otherwise"
    assert compare(document, other) == []


def add_path(document: Json) -> None:
    """One more path."""
    document["paths"]["/new"] = {"get": {"responses": {}}}


def add_method(document: Json) -> None:
    """One more method on each path."""
    for item in document["paths"].values():
        item["delete"] = {"operationId": "remove", "responses": {"204": {}}}


def add_parameter(document: Json) -> None:
    """One more parameter that may be left out."""
    for operation in operations(document):
        operation["parameters"].append(parameter({"type": "string"}, "new"))


def add_error(document: Json) -> None:
    """One more status of failure."""
    for operation in operations(document):
        operation["responses"]["429"] = {"content": {"application/problem+json": {"schema": {}}}}


def add_header(document: Json) -> None:
    """One more header."""
    for operation in operations(document):
        operation["responses"]["200"]["headers"] = {"ETag": {"schema": {"type": "string"}}}


def add_way(document: Json) -> None:
    """One more way to authenticate."""
    for operation in operations(document):
        operation["security"] = [*operation["security"], {"key": []}] if operation["security"] else []


def add_component(document: Json) -> None:
    """A schema that nobody uses."""
    document["components"]["schemas"]["Four"] = {"type": "object"}


def deprecate(document: Json) -> None:
    """Operations are announced to end."""
    for operation in operations(document):
        operation["deprecated"] = True


ADDITIONS = [add_path, add_method, add_parameter, add_error, add_header, add_way, add_component, deprecate]


@EXAMPLES
@given(specifications(), st.lists(st.sampled_from(ADDITIONS), unique=True))
def test_additions_break_nobody(document: Json, additions: list[Callable[[Json], None]]) -> None:
    """Any of them together; and taken back, they are the changes again that they were."""
    new = copy.deepcopy(document)
    for add in additions:
        add(new)
    assert [one for one in compare(document, new) if one.kind == "breaking"] == []
    assert len(compare(new, document)) == len(compare(document, new))


@EXAMPLES
@given(SCHEMAS, st.sampled_from([sent, answered]))
def test_a_new_field_beside_anything_breaks_nobody(schema: Any, build: Callable[..., Json]) -> None:
    """In a body and in an answer."""
    components = {name: fields(a={"type": "string"}) for name in COMPONENTS}
    changes = compare(build(fields(a=schema), **components), build(fields(a=schema, b=True), **components))
    assert [(one.kind, one.code.rpartition(".")[2]) for one in changes] == [("additive", "field_added")]


GONE: list[Json] = [{"gone": {"type": "string"}}, {}]


def wrapped(schema: Any, ways: list[str]) -> Any:
    """A schema deep inside others."""
    for way in ways:
        schema = {
            "field": fields(inner=schema),
            "items": {"type": "array", "items": schema},
            "map": {"type": "object", "additionalProperties": schema},
            "null": {"anyOf": [schema, {"type": "null"}]},
            "parts": {"allOf": [schema]},
            "tuple": {"type": "array", "prefixItems": [True, schema]},
        }[way]
    return schema


@EXAMPLES
@given(st.lists(st.sampled_from(["field", "items", "map", "null", "parts", "tuple"]), max_size=6), SCHEMAS)
def test_what_breaks_is_found_however_deep(ways: list[str], beside: Any) -> None:
    """Whatever it is wrapped in, and whatever else changes beside it."""
    components = {name: fields(a={"type": "string"}) for name in COMPONENTS}
    old, new = (wrapped(fields(None, kept=True, **more), ways) for more in GONE)
    for build, code in ((sent, "request.field_removed"), (answered, "response.field_removed")):
        changes = compare(
            build(fields(a=old, b=beside), **components), build(fields(a=new, b={"type": "boolean"}), **components)
        )
        assert code in [one.code for one in changes if one.place.endswith("gone")]


@EXAMPLES
@given(specifications(), specifications())
def test_any_two_specifications_are_compared(old: Json, new: Json) -> None:
    """Each change by a rule; the same each time; through JSON and back."""
    changes = compare(old, new)
    assert all(RULES[one.code].kind == one.kind for one in changes)
    assert compare(json.loads(json.dumps(old)), reordered(new)) == changes


MORE = {"prefixItems", "items", "required", "const", "oneOf", "minimum", "exclusiveMaximum", "multipleOf", "minLength"}
MORE |= {
    "discriminator",
    "additionalProperties",
    "enum",
    "parameters",
    "requestBody",
    "responses",
    "security",
    "schema",
}
MORE |= {"not", "x-access", "x-sunset", "headers", "operationId", "in", "name", "mapping", "propertyName"}
HOSTILE = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.just("#/paths"), st.just("#/components")
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["$ref", "type", "properties", "anyOf", "allOf", "enum", "get", "content", "200", *NOTES]),
            inner,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(HOSTILE, st.sampled_from(["paths", "components", "servers", "info", "security", "schema", "operation"]))
def test_hostile_documents_are_compared_or_refused(value: Any, where: str) -> None:
    """Never another error, and never without an end."""
    plain = specification({})
    hostile = sent(value) if where == "schema" else specification({}) | {where: value}
    if where == "operation":
        hostile["paths"]["/things"]["post"] = value
    for old, new in ((plain, hostile), (hostile, sent(True)), (hostile, copy.deepcopy(hostile))):
        with suppress(NotASpecification):
            compare(old, new)


def large(count: int) -> Json:
    """A document of ``count`` operations that share schemas which refer to each other and to themselves."""
    components = {
        f"S{n}": fields(
            ["id"],
            id={"type": "integer"},
            next={"anyOf": [{"$ref": f"#/components/schemas/S{(n * 7 + 1) % 12}"}, {"type": "null"}]},
            many={"type": "array", "items": {"$ref": f"#/components/schemas/S{(n * 3 + 2) % 12}"}},
        )
        for n in range(12)
    }
    paths = {
        f"/things{n}/{{id}}": {
            "get": {
                "operationId": f"get_{n}",
                "parameters": [parameter({"type": "integer"}, "id", "path", required=True)],
                "responses": {
                    "200": {
                        "content": {
                            "application/json": {"schema": fields(data={"$ref": f"#/components/schemas/S{n % 12}"})}
                        }
                    }
                },
            }
        }
        for n in range(count)
    }
    return specification({}, components={"schemas": components}) | {"paths": paths}


def test_time_grows_with_the_document() -> None:
    """Twice the operations take about twice as long, where a schema differs that each of them reaches."""
    pairs = {}
    for count in (20, 40, 200):
        old, new = large(count), large(count)
        new["components"]["schemas"]["S5"]["properties"]["extra"] = {"type": "string"}
        pairs[count] = (old, new)
    assert growth(lambda count: compare(*pairs[count]), 20) < 3
    assert {one.code for one in compare(*pairs[200])} == {"response.field_added"}


def test_depth_has_no_limit_of_its_own() -> None:
    """A chain of a thousand schemas, and unions of unions that double with every step."""
    components = {f"S{n}": fields(a={"$ref": f"#/components/schemas/S{n + 1}"}) for n in range(1000)}
    first = {"$ref": "#/components/schemas/S0"}
    old, new = (
        answered(first, **components, S1000=fields(b=kind)) for kind in ({"type": "string"}, {"type": "integer"})
    )
    (change,) = compare(old, new)
    assert (change.code, change.place.count("a.")) == ("response.type_changed", 1000)
    doubling = {f"S{n}": {"anyOf": [{"$ref": f"#/components/schemas/S{n + 1}"}] * 2} for n in range(40)}
    old, new = (answered(first, **doubling, S40={"type": kind}) for kind in ("string", "integer"))
    assert [one.code for one in compare(old, new)] == ["undecided"]
    assert compare(old, copy.deepcopy(old) | {"info": {}})[0].code == "info.version_changed"


@pytest.mark.parametrize("depth", [500, 100_000])
def test_values_that_are_nested_too_deeply_are_refused(depth: int) -> None:
    """Or compared: no error of Python's gets out."""
    nested: Any = True
    for _ in range(depth):
        nested = {"type": "array", "items": nested}
    try:
        assert compare(sent(nested), sent({"type": "array", "items": nested}))
    except NotASpecification:
        assert depth > 1000
